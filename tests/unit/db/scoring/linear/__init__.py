"""Tests of the linear model of a student."""
