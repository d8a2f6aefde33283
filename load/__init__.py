"""Load: Locust users and profiles. It emits raw samples and judges nothing."""
