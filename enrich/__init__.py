"""What is heavy: enrichers, training, and the workers that run both while a machine is idle."""
