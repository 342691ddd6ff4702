"""THE DECISION CODE and its values: market, strategies, costs, risk, the loop, events, statistics. Pure: no disk, no clock."""
