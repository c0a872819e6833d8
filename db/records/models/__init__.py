"""The versions of models in the store."""
