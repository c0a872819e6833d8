"""The commands of `python -m db`."""
