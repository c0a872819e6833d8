"""The first page and the page of the server."""
