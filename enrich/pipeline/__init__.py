"""The work on one chunk: steps, batches, calls, look-ups, leases."""
