"""A fake Meta Conversions API: rules as pure functions, errors as a table, an inbox, an HTTP face.

A newcomer reads `app` (which path is what), `events` (one call from its bytes to its answer), `rules` (what Meta
refuses), `errors` (how it says so), `faults` (how it fails), `control` (how a harness looks in).

What it does not imitate: TLS, rate limits of its own accord (a fault makes them), the batch
endpoint, `/stats` and the other reading edges of a pixel, Events Manager and its diagnostics, match quality as Meta
computes it, deduplication by fbp or external_id, and localised texts.
"""
