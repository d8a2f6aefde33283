"""What breaks, and comes back without a loss."""
