"""The form that tries a model."""
