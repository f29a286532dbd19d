"""The SQLite database that requests are loaded into."""
