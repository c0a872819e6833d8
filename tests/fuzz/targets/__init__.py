"""The parsers that are fuzzed, by what they read."""
