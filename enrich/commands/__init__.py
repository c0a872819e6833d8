"""What `python -m enrich` can be told, by what it is about."""
