"""What happens by the clock: jobs, periods, retention."""
