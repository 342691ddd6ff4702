"""The explorer of experiments: what was tried, of every kind, with tags, notes and verdicts; and what they say together."""
