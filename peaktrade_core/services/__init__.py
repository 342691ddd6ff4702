"""Floor 4, services: what people want done - sessions, recovery, views, checks, reports, runbooks."""
