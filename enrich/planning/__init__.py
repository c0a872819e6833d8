"""Planning: the plan of a dataset, and when an analysis or training is due."""
