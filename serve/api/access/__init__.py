"""Access: which requests are answered, by their key, their Host header and their number."""
