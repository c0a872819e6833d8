"""The SQL store: engine, dialects, tables and the generation number."""
