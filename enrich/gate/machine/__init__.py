"""What the machine says of itself, on a bare host or in a container."""
