"""An unforeseen failure as one sentence for an operator."""

from __future__ import annotations


def sentence(error: Exception) -> str:
    """Return what an operator is told of a failure: its type says where to look, its text could quote a row."""
    name = type(error).__name__
    if name in ("OperationalError", "ConnectionTimeout"):
        return f"the database cannot be reached ({name})"
    if name in ("EndpointConnectionError", "ConnectTimeoutError", "NoCredentialsError", "ClientError"):
        return f"AWS cannot be reached or refuses ({name})"
    return name
