"""Tests of db/files/prediction."""
