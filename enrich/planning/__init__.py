"""What is due: a dataset's plan, models to train, analyses to run."""
