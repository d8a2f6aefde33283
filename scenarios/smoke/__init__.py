"""One click, one purchase, one event at Meta."""
