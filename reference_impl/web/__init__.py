"""HTTP in: webhooks, tracking, health. Thin; all rules live in the domain."""
