"""Administration of the store: status, doctor, prune and the read benchmark."""
