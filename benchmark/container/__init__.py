"""Images and their containers: what they weigh, what they hold, how they end."""
