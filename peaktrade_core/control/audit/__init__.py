"""The audit: is the workspace as its ledger says, what proves it, and the bundle that an auditor verifies elsewhere."""
