"""The written documentation as pages."""
