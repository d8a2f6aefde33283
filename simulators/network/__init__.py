"""A TCP proxy that breaks what passes through it, with Toxiproxy's toxics. See `docs/network.md`."""
