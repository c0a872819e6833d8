"""Pages for people: the dashboard, the records, and a box to try the model in."""
