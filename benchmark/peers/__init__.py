"""Other people's way: the same predictions from a scikit-learn model called per request."""
