"""The web process: predictions, pages and metrics, read from the store."""
