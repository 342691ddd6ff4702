"""The read side of sessions and runs: what every surface asks, and nobody else reads artefacts."""
