"""Changes as people make them: proposed with evidence, approved, applied, verified; by command, runbook and page."""
