"""Incident drills: scenarios, real faults on the loopback venue, scores. The only room that uses the loopback venue."""
