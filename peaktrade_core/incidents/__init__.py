"""Incidents: what happened, who works on it, what the handbook does then."""
