"""Fuzzing: every parser gets mutated bytes, and must read them or refuse them in one line."""
