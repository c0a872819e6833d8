"""The report of a run: its result, charts, tables and page."""
