"""Many runs, one process each: start, stop, replace, watch."""
