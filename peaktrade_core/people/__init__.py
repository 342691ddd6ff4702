"""People: who they are, what each may approve, and their signatures under requests."""
