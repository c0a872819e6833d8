"""Benchmarks: they use HTTP and the command line, and import no other package of this project."""
