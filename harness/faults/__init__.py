"""What breaks outside HTTP: processes, networks, AWS, time."""
