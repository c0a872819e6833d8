"""Executors: where steps are computed."""
