"""Exchange with users' databases: rows are imported from queries, predictions are published."""
