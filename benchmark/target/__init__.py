"""What is measured: a server that somebody runs, a process or a container, and what it takes."""
