"""Scoring without the teacher: features, the student and the response body."""
