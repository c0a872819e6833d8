"""The enrichers that come with the project."""
