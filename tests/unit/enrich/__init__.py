"""Unit tests of enrich."""
