"""The formats of the files whose rows are predicted: how rows are read and written again."""
