"""What wakes a person: the alarms, lived minute by minute."""
