"""Deployment files, and scripts for developers: measurements and the reference tables."""
