"""Request counters, logs and Prometheus metrics of the web process, and drift of predictions."""
