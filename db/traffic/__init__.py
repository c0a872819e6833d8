"""What the web process writes to the store: requested inputs, prediction counts, web load."""
