"""Every line of the launch plan, and what is known about it.

`stories.toml` and `checklist.toml` hold the lines, `plan.py` reads and checks them, `rows.py` judges them.
"""
