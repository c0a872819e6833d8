"""A soak test: a day's worth of faults in half an hour, under load, and nothing may be lost."""
