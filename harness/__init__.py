"""Drives a target, observes it, and judges what it saw. The `golive` command lives in `harness.cli`."""
