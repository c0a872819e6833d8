"""Tests of the pages over time."""
