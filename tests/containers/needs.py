"""Print the files of some installed distributions and of all that they ask for, relative to site-packages."""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

from packaging.markers import default_environment
from packaging.requirements import Requirement


def main(wanted: list[str]) -> None:
    """One file a line."""
    seen: set[str] = set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform
        for text in found.requires or []:
            asked = Requirement(text)
            if asked.marker is None or asked.marker.evaluate({**default_environment(), "extra": ""}):
                wanted.append(asked.name)
        for one in found.files or []:
            if ".." not in one.parts and "__pycache__" not in one.parts and one.locate().exists():
                sys.stdout.write(f"{one}\n")


main(sys.argv[1:])
