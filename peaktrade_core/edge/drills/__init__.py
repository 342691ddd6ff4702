"""Incident drills at the edge: the only floor that knows the loopback venue, and the only part of it that does."""
