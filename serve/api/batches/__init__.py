"""Requests for many predictions: arrays in JSON, and tables in CSV."""
