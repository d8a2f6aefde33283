"""Promises, one file each, grouped by what they protect. Pytest runs them; their docstrings are the specification."""
