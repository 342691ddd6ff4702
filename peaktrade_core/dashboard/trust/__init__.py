"""What the ledger says, for pages and programs: newest entries, heads, requests that wait. It only reads."""
