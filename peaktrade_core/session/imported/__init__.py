"""What people ran elsewhere, as sessions: a freqtrade dry run's database, or a CSV of fills."""
