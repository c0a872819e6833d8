"""Listings: pages of a dataset's records, filtered, searched and sorted."""
