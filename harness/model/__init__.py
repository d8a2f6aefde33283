"""A model of the pipeline: it drives the running target through interleavings and knows what must come of each sale.

`steps` what can be done, and stories of it in a file · `oracle` what must follow (pure) · `world` does it to the
running target · `machine` draws it (Hypothesis) · `explore` finds a story that breaks a promise,
and makes it short.
"""
