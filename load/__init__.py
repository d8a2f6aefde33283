"""Load: an open schedule of signed webhooks, sent by Locust; emits raw samples and judges nothing.

`golive load` writes a plan (`plan.py`), starts `locust -f load/locustfile.py` once for each process, and reads what
they leave behind (`samples.py`). The schedule is fixed before the first request (`schedule.py`), and each request is
rendered before it is due (`webhooks.py`) and sent when it is (`scheduled.py`). Locust alone, without golive, finds its
own kind of users in the same file (`plain.py`).
"""
