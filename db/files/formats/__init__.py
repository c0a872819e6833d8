"""Formats: readers of CSV, JSON, Excel and Parquet files, each row by row."""
