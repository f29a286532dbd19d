"""Routes the records of streams to the tables that they load."""
