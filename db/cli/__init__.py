"""The commands of the store, where there are too many for one module."""
