"""The runbooks that look at the dashboard from outside and prove that it only reads."""
