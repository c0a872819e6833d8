"""Ingestion: rows of files and requests become records and observations."""
