"""Keys for a venue: from environment variables, else from the system's keyring, and from nowhere else.

They are never part of a configuration, journal, record, log, notebook or process argument.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from peaktrade_core.base.errors import ExchangeAuthenticationError

_VARIABLES = {
    "kraken": ("KRAKEN_TESTNET_API_KEY", "KRAKEN_TESTNET_API_SECRET"),
    "krakenfutures": ("KRAKEN_FUTURES_DEMO_API_KEY", "KRAKEN_FUTURES_DEMO_API_SECRET"),
}

_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Credentials:
    """A key and its secret; printing it shows neither."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


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
    return Credentials(*values)


def variables_of(venue: str) -> tuple[str, str]:
    """Return the names under which a venue's key and secret are looked for."""
    return _VARIABLES[venue]


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
