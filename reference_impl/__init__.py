"""The reference pipeline: the shape of code that a team would copy. It imports nothing else of golive."""
