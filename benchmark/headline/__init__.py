"""The comparison with peers in one run, its promises, and the tables of README and docs."""
