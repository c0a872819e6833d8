"""Reading inputs: those of a request, and those in the rows of data files."""
