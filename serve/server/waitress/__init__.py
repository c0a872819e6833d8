"""The waitress server: its loop, its connections, and how it reads requests."""
