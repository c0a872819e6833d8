"""Container images and containers: their size, their memory and how they stop."""
