"""One file per place where a target can be observed."""
