"""The server that a run measures: a running one, a process or a container, and its resources."""
