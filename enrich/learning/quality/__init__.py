"""Quality: metrics of answers, their calibration, and the intervals of numbers."""
