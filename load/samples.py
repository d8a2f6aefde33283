"""What a generator leaves behind: one line for each request, raw, with three moments and nothing computed.

Columns: number, due_s, sent_s, answered_s, status, gateway, dialect, tenant, sale. Moments are seconds from the start
of the run; `status` is empty where no answer came, and `answered_s` is then the moment at which it was given up.
"""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Self

from load.webhooks import Due

COLUMNS = ("number", "due_s", "sent_s", "answered_s", "status", "gateway", "dialect", "tenant", "sale")


class Samples:
    """A CSV file that grows line by line, so that whoever looks on sees how far it is."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="", buffering=1)
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, due: Due, *, sent_s: float, answered_s: float, status: int | None) -> None:
        """Write down one request."""
        moments = (f"{due.due_s:.6f}", f"{sent_s:.6f}", f"{answered_s:.6f}")
        told = "" if status is None else status
        self._rows.writerow((due.number, *moments, told, due.gateway, due.dialect, due.tenant, due.sale))
