"""`python -m simulators.aws_faults`: alone, as a process."""

from simulators.aws_faults.proxy import main

raise SystemExit(main())
