"""Floor 1, the domain: what there is. Pure values, no I/O, no wall clock."""
