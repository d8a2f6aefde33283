"""From the outbox to Meta: relay, consumer, Conversions API client, breaker, token."""
