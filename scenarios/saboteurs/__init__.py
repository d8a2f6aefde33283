"""Broken pipelines that prove each scenario can fail: one file each, a small patch of the reference at its start-up.

`python -m scenarios.saboteurs NAME -- web --port 8000` starts a process of the reference with that patch. The file's
name is the saboteur's name, the first line of its docstring the bug as it happens in real systems; `CAUGHT_BY` names
the scenarios that claim to see it (each must turn red), as reports call them: `G-01[stripe-vendor]`. `HUNT` is the
hunt for personal data at a run's end.

This is the only place that may import the reference, and nothing imports it: `golive prove` reads the files.
"""
