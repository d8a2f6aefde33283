"""`python -m simulators NAME`: one fake as a process. See `simulators/serving.py`."""

import sys

from simulators.serving import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
