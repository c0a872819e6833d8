"""The web pages: the dashboard, the records, and a form to try each model."""
