"""What the cells of a column show about its type, to infer a dataset's file."""
