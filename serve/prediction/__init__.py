"""Predictions without HTTP: inputs in, a cached response out."""
