"""Readings of the machine's load, on a bare host or in a container."""
