"""Jobs: work with files that a browser asks for and a worker does."""
