"""A copy of a workspace that holds together though sessions run, and the proof that it can be brought back."""
