"""Tests of calibration, intervals, metrics, reports and promotion."""
