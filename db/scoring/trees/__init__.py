"""The trees of a student."""
