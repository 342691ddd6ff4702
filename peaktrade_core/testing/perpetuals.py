"""What every dialect says of the venue's perpetuals."""

from __future__ import annotations

from decimal import Decimal

PERPETUAL_LOT = Decimal("0.0001")  # [base units]
MAINTENANCE = Decimal("0.01")  # margin of the lowest tier [fraction of the notional]
LARGEST = 1_000_000  # notional of that tier [quote ccy]
