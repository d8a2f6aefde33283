"""libfaketime as we use it: a process that we start is told another time than the machine's.

Source:
    libfaketime.c and faketime_common.h of version 0.9.11, which lie beside the library in its wheel.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from harness.errors import HarnessError, UsageError

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- not for secrets, and the library looks nowhere else
_MODE = 0o666 if os.geteuid() == 0 else 0o600
"""Whoever follows opens it for writing; and root's PostgreSQL is another user's."""


def library() -> Path:
    """The library that tells a process another time. Raises UsageError where there is none."""
    if sys.platform != "linux":
        raise UsageError("--at moves the target's clock with libfaketime, which golive carries for Linux only.")
    import libfaketime  # noqa: PLC0415 -- only a travelling run needs it

    found = sorted(Path(libfaketime.__file__).parent.glob("vendor/libfaketime/src/libfaketime.so*"))
    if not found:
        raise UsageError("--at needs the libfaketime package with its library; `make setup` installs it.")
    return found[0]


def fixed(offset_s: int) -> dict[str, str]:
    """The environment of a process that lives so many seconds from the machine's time, always."""
    return {**_preloaded(), "FAKETIME": f"{offset_s:+d}"}


def _preloaded() -> dict[str, str]:
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        # For who waits until a moment of the monotonic clock, which nobody moves here: where the fix is on (glibc from
        # 2.30), the whole offset is taken from his limit, and every such wait ends at once. Python's GIL waits so, and
        # Java's parked threads: they spin.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


class Followed:
    """An offset that processes look up at each look at the time, so that all of them jump in the same moment.

    It is the modification time of a file, beside a beginning that all share. Not the text of a file: reading that,
    two threads get into each other's way in the library's static buffers, and one of them is told the machine's time
    now and then; and it costs four system calls instead of one.
    """

    def __init__(self, file: Path, *, began_s: int) -> None:
        """`file` is made here, in a folder whose name is nobody else's on this machine. `began_s`: the machine's time
        from which all count, in seconds since 1970.

        Raises:
            UsageError: there is no such library. HarnessError: there is no shared memory.
        """
        library()
        self._file = file
        self._began_s = began_s
        self._name = f"golive-{os.getpid()}-{file.parent.name}"
        file.touch(mode=0o644)
        self._share()

    @property
    def left_behind(self) -> tuple[Path, Path]:
        """What outlives the file, until `close`."""
        return SHARED_MEMORY / self._name, SHARED_MEMORY / f"sem.{self._name}"

    def be_off(self, offset_s: int) -> None:
        """Every look at the time from now on is so many seconds off."""
        moment_s = self._began_s + offset_s
        os.utime(self._file, (moment_s, moment_s))

    def env(self) -> dict[str, str]:
        """The environment of a process that follows."""
        return {
            **_preloaded(),
            "FAKETIME": "%",
            "FAKETIME_FOLLOW_FILE": str(self._file),
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_SHARED": f"/{self._name} /{self._name}",
        }

    def close(self) -> None:
        """Remove what `left_behind` names; who follows goes on."""
        for path in self.left_behind:
            path.unlink(missing_ok=True)

    def _share(self) -> None:
        """When all have begun, on whatever clock: else each process would count from its own start."""
        memory, _ = self.left_behind
        began = (self._began_s, 0) * 4  # by CLOCK_REALTIME, and by three monotonic ones that nobody asks for
        try:
            memory.write_bytes(struct.pack("@QQ8l", 0, 0, *began))
            _make_semaphore(self._name)
            for path in self.left_behind:
                path.chmod(_MODE)
        except OSError as error:
            self.close()
            raise HarnessError(f"Time travel needs shared memory at {SHARED_MEMORY}: {error}") from None


def _make_semaphore(name: str) -> None:
    """The library takes it while it reads the beginning. Raises OSError."""
    import ctypes  # noqa: PLC0415 -- only a travelling run needs it

    libc = ctypes.CDLL(None, use_errno=True)
    libc.sem_open.restype = ctypes.c_void_p
    if not libc.sem_open(f"/{name}".encode(), os.O_CREAT | os.O_EXCL, _MODE, 1):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
