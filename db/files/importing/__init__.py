"""Reading the rows of an import."""
