"""What answers: the light web process over the store."""
