"""The linear model of a student."""
