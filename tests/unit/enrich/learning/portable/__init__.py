"""Tests of portable models: linear models and boosted trees."""
