"""The server processes: waitress, granian, supervision, reload."""
