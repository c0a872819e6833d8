"""The contract between web processes and workers: settings, specs, scoring and the store."""
