"""The queue of the workers: chunks, leases, workers, quarantine and call quotas."""
