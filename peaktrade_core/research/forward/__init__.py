"""What strategies say now: scans over many markets, and signals that are written before their outcome and evaluated later."""
