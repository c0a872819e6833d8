"""What came of it, as a page, pictures and tables."""
