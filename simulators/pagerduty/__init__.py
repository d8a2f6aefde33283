"""A fake PagerDuty: the SNS endpoint of its CloudWatch integration, Events API v2, and an inbox of incidents.

Does not imitate: see `docs/fakes_pagerduty.md`.
"""
