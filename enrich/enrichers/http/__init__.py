"""The http enricher: values from a JSON API."""
