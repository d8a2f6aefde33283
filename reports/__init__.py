"""Turns a finished run record into pages that people and machines read."""
