"""Deployments, and what is made by hand: measurements, the reference."""
