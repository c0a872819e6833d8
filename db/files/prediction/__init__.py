"""Predict the rows of a file: the same rows, with the answers in further columns."""
