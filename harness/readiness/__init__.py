"""Every line of the launch plan, and what is known about it."""
