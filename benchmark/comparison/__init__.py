"""Comparisons with peers and with a constant answer: make bench-serve, make bench-enrich."""
