"""That people agreed, and how that is known: signed, or typed and not verified. Said in the same words everywhere."""

from __future__ import annotations

import msgspec

NOT_VERIFIED, SIGNED_BY_KEY = "not verified", "signed"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """That people agreed: who, and under which request; without one their names were typed."""

    people: tuple[str, ...]
    request: str = ""

    @property
    def verified(self) -> bool:
        """Whether they signed."""
        return bool(self.request)

    @property
    def told(self) -> str:
        """Who it was and how that is known: ``Ada and Ben (signed, REQ-…)``, ``Ada (not verified)``."""
        how = f"signed, {self.request}" if self.request else NOT_VERIFIED
        return f"{' and '.join(self.people)} ({how})"
