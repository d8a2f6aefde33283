"""Starts local parts, waits for them, and notices when one dies."""
