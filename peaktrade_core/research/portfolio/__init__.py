"""Several decisions on one account: sleeves on one clock, the account's limits over all of them, cash moved between them."""
