"""The worker process: its loop, heartbeat, statistics and subcommands."""
