"""Listings of records, and the page of one record."""
