"""The commands of `python -m enrich`."""
