"""The operator's desk: doctor, readiness, smoke test, and the code of the runbooks that start and stop things."""
