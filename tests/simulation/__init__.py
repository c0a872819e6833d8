"""Simulations of many days, which are run by hand: make simulate."""
