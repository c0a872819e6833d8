"""Benchmarks: they speak HTTP and the command line, and import no room of the house."""
