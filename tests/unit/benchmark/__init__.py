"""Unit tests of benchmark."""
