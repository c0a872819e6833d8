"""The pages that give work with files to the workers."""
