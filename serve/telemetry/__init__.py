"""Counters, logs and metrics of web processes and workers."""
