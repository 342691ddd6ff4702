"""Keys for a venue: from environment variables, else from the system's keyring, and from nowhere else.

They are never part of a configuration, journal, record, log, notebook or process argument.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from peaktrade_core.base.errors import ExchangeAuthenticationError

_PREFIXES = {"kraken": "KRAKEN_TESTNET", "krakenfutures": "KRAKEN_FUTURES_DEMO"}
_SUFFIXES = {"apiKey": "API_KEY", "secret": "API_SECRET"}

_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Credentials:
    """A key and its secret, and what else a venue wants, by ccxt's names; printing it shows nothing."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    more: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def fields(self) -> dict[str, str]:
        """What ccxt is given."""
        return {"apiKey": self.key, "secret": self.secret, **dict(self.more)}

    @property
    def hidden(self) -> tuple[str, ...]:
        """What no message may show."""
        return tuple(filter(None, self.fields.values()))


def find_credentials(venue: str) -> Credentials:
    """Return the credentials for a venue, from the environment or the keyring.

    Raises:
        ExchangeAuthenticationError: there are none, or one cannot be a key; says where they belong, never what they are.
    """
    names = variables_of(venue)
    values = [(os.environ.get(name) or from_keyring(name) or "").strip() for name in names]
    if not all(values):
        missing = [name for name, value in zip(names, values, strict=True) if not value]
        raise ExchangeAuthenticationError(
            f"no credentials for {venue}: set {' and '.join(missing)} in the environment or in the keyring "
            f"(`keyring set peaktrade {missing[0]}`); never in a file of the workspace"
        )
    for name, value in zip(names, values, strict=True):
        if not _PRINTABLE.fullmatch(value):
            raise ExchangeAuthenticationError(
                f"{name} holds a space, a line break or a character that no key of {venue} has; copy it once more"
            )
    told = dict(zip(_wanted(venue), values, strict=True))
    return Credentials(told.pop("apiKey", ""), told.pop("secret", ""), tuple(told.items()))


def variables_of(venue: str) -> tuple[str, ...]:
    """Return the names under which a venue's key, its secret and what else it wants are looked for.

    Of binance they are ``BINANCE_TESTNET_API_KEY`` and ``BINANCE_TESTNET_API_SECRET``; a passphrase ends in ``_PASSWORD``.
    """
    prefix = _PREFIXES.get(venue, f"{venue.upper()}_TESTNET")
    return tuple(f"{prefix}_{_SUFFIXES.get(name) or _upper(name)}" for name in _wanted(venue))


def _wanted(venue: str) -> tuple[str, ...]:
    """Return what a venue wants of whoever makes private calls, by ccxt's names."""
    if venue in _PREFIXES:
        return tuple(_SUFFIXES)
    import ccxt

    return tuple(name for name, needed in getattr(ccxt, venue)().requiredCredentials.items() if needed)


def _upper(name: str) -> str:
    """Return ``walletAddress`` as ``WALLET_ADDRESS``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def from_keyring(name: str) -> str | None:
    """Return a secret from the system's keyring, None where there is no keyring."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password("peaktrade", name)
    except KeyringError:
        return None
