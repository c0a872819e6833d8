"""The gate: decides from load readings whether this machine is idle."""
