"""A fake Meta Conversions API: rules as pure functions, errors as a table, an inbox, an HTTP face."""
