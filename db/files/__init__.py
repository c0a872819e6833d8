"""Data files: reading, importing, exporting, and inferring a dataset's spec."""
