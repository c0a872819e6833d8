"""The draft of a dataset's file: the table that was read, its target, warnings, and the text."""
