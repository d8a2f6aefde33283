"""`python -m simulators.network`: the same as `python -m simulators network`."""

import sys

from simulators.serving import main

if __name__ == "__main__":
    sys.exit(main(["network", *sys.argv[1:]]))
