"""`python -m reference_impl.contract OLD.json NEW.json`: exit 1, and a line each, for whatever would break a client."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reference_impl.contract.changes import breaking


def main() -> int:
    """Compare two OpenAPI documents: 0 nothing breaks, 1 something does, 2 they cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m reference_impl.contract", description=main.__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    args = parser.parse_args()
    try:
        old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (args.old, args.new))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The documents cannot be compared: {error}\n")
        return 2
    found = breaking(old, new)
    for sentence in found:
        sys.stdout.write(f"BREAKING  {sentence}\n")
    told = f"{len(found)} breaking changes" if found else "no breaking change"
    sys.stdout.write(f"{told} from {args.old} to {args.new}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
