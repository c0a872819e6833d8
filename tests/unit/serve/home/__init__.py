"""Tests of the first page and of the page of the server."""
