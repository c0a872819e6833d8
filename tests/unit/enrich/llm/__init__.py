"""Tests of the llm enricher that need no service."""
