"""The emulator's web page: tables, newest rows and requests."""
