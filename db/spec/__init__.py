"""The spec of a dataset: its fields, its TOML file, and the keys of its records."""
