"""The llm enricher: values from a language model, held to a schema."""
