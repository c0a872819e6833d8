"""The pages where people label records."""
