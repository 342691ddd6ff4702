"""Putting a drill on: its workspace and venue, the faults, the drilled session, a scripted operator."""
