"""What a change of the contract means for whoever was written against the older one."""
