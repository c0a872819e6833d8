"""Labels in data files, told of records that are there."""
