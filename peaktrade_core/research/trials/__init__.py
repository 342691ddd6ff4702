"""Research that counts: sweeps over parameters, every try in a ledger, a part of the bars held back, and a verdict."""
