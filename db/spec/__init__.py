"""What a dataset is: its fields, its spec, its TOML file, and the key of a record."""
