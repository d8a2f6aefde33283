"""What the commands of golive do, apart from parsing options and printing: `harness.cli` calls this package."""
