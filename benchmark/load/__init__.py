"""The load of a run: scenarios, their inputs, and the load generator, which is Locust."""
