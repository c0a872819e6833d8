"""The workers that are registered in the store, with their reports, their gates and the pause."""
