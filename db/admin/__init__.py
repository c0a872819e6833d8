"""Administration of a store: status, doctor, prune and the read benchmark."""
