"""Analytics: numbers by tenant, day and gateway, kept up to date from a log of changes, and read in milliseconds."""
