"""The `golive` command: one file per command, and the only place that wires everything together."""
