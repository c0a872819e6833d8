"""Backups: the whole store in one file, which either database can be restored from."""
