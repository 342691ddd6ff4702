"""Ground: errors, time, files, locks, logs, processes, and the question that answers itself. Knows nothing of trading."""
