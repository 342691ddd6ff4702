"""One session from plan to record: feed, strategy, signal, risk, order, fill, journal."""
