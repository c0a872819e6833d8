"""Dates: how people and programs spell them, and the moments that they mean."""
