"""Reports of a session, a day, a week, of how everything stands; the activity feed."""
