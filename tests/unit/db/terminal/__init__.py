"""Tests of what commands write to a terminal."""
