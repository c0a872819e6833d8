"""Tests of students as they are stored."""
