"""Data that web processes write: requested inputs, prediction counts and their load."""
