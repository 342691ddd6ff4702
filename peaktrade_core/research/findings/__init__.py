"""Findings: whether what follows a state of a market differs from what follows at all times, by honest statistics."""
