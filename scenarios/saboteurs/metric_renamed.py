"""A metric gets a better name in the code and keeps the old one in the alarm: nothing is ever heard of it again."""

from typing import Any

from reference_impl.monitoring.gauges import Gauges
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("W-10",)


def patch() -> None:
    """The database's connections, under another name."""

    def make(measured: Any) -> Any:
        def renamed(self: Any, connection: Any) -> Any:
            bite()
            found = measured(self, connection)
            return {name.replace("DatabaseConnections", "DbConnections"): value for name, value in found.items()}

        return renamed

    swap(Gauges, "_measured", make)
