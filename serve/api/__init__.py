"""The HTTP API: middleware, routes, queries, keys, errors."""
