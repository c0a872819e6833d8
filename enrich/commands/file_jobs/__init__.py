"""What `python -m enrich job` does for each kind of job."""
