"""Records and what is known of them: enrichments, predictions, models, listings."""
