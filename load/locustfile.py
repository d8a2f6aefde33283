"""What Locust is given: with a plan of `golive load` its one scheduled user, without one Locust's own kind of users.

golive load baseline                                                    judged; starts this file itself
locust -f load/locustfile.py --host http://127.0.0.1:8000               with Locust's web page
locust -f load/locustfile.py --host … --headless -u 20 -r 5 -t 1m HotmartUser Journeys
"""

from __future__ import annotations

import locust  # noqa: F401 -- first of all: it patches sockets

import os
import sys

from load.plan import PLAN_VARIABLE

if PLAN_VARIABLE in os.environ:
    from load.plan import NoPlan

    try:
        from load.scheduled import Vendors
    except NoPlan as missing:
        sys.exit(str(missing))
else:
    from load.plain import GATEWAY_USERS, Journeys, Visitors

    globals().update(GATEWAY_USERS)

__all__ = ["Journeys", "Vendors", "Visitors"]  # and a user for each gateway
