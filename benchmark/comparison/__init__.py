"""The stand: what this project holds beside others: make bench-serve, make bench-enrich."""
