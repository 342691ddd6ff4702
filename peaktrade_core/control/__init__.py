"""The control center: layers, gates, routine, audit, and the proof that live stays locked."""
