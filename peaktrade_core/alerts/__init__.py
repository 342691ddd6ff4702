"""Alert rules, the alert log, channels and the watcher that looks after everything."""
