"""Records and their data: enrichments, predictions, models and listings."""
