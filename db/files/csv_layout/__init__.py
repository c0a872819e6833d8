"""Decide from the first lines of a CSV file how it is read. No module here reads a file."""
