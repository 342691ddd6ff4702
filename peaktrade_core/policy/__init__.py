"""Floor 2, policy: what is decided. Pure functions over the domain, interpreted or compiled."""
