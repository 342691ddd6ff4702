"""The questions that are asked of one session, asked of many: the rest, the costs, other limits."""
