"""Models that a student can hold: linear models and boosted trees over inputs alone."""
