"""Work for enrichment workers: chunks, leases, workers, quarantine, call quotas."""
