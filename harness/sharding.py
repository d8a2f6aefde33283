"""Which part of a run a scenario belongs to: a function of its id alone, on whatever machine it is asked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from harness.errors import UsageError

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` (from 1) of `count`."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/3`.

        Raises:
            UsageError: it is nothing of the kind.
        """
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip())
        if not found:
            raise UsageError(f"--shard {text!r}: it is written like 2/3, the second of three.")
        index, count = map(int, found.groups())
        if not 1 <= index <= count <= _MOST:
            raise UsageError(f"--shard {text!r}: the first is 1/{count}, the last {count}/{count}; at most {_MOST}.")
        return cls(index, count)

    def holds(self, key: str) -> bool:
        """Whether the scenario of that name (`S-07[hotmart-plan]`) is of this part."""
        return shard_of(key, self.count) == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def shard_of(key: str, count: int) -> int:
    """From 1 to `count`. A scenario that is added or removed moves no other."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % count + 1
