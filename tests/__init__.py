"""Tests, by level: unit, store (on both databases), integration, faults."""
