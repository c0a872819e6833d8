"""Tests of labels and of what they say about production."""
