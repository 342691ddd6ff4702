"""What stops trading: trading states with their scopes, the kill switch, the account that sessions share.

Ask `TradingStates.of(workspace)`: `in_force(scope)` is what a session obeys, `stopped()` is every halt everywhere. `KillSwitch`
engages and releases for everything. Both read and write the one log of halts (`log`, `entries`), which `memory` keeps from
going missing unseen; `earlier` reads what the version before left.
"""
