"""Pure functions over records: the ledger, privacy, service levels, the verdict."""
