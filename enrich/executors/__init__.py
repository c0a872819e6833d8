"""Executors: compute the steps of a plan, in a local child process or on a Dask cluster."""
