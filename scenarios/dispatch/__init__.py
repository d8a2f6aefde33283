"""From the outbox to Meta, once."""
