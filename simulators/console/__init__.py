"""The page of `golive up`: what the fake gateways sent, how the target answered, what Meta thinks of it.

It shows no person: hashes by their first digits, and nothing that could be an e-mail.
"""
