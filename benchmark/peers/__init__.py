"""Peers: common web frameworks that call a scikit-learn model for each request."""
