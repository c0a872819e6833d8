"""The pages of what was answered over time, and how good it was."""
