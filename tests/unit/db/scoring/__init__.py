"""Tests of db/scoring."""
