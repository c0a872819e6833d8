"""Peers: common web frameworks that call a model for each request."""
