"""Exercises for on-call: fault, page, runbook, recovery. `golive drill NAME` runs one; no run does."""
