"""The quality of our models compared with scikit-learn's, on public tables: `make quality`."""
