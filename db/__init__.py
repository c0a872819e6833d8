"""The contract that the web process and the workers both obey, and nothing else."""
