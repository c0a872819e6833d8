"""The sample datasets, and where a user's own code may stand."""
