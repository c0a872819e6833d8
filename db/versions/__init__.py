"""Versions of models: reading them, comparing two of them, and what to be warned of."""
