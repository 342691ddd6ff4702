"""Keys for a venue: from environment variables, else from the system's keyring, and from nowhere else.

They are never part of a configuration, journal, record, log, notebook or process argument.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from peaktrade_core.domain.errors import ExchangeAuthenticationError

_VARIABLES = {
    "kraken": ("KRAKEN_TESTNET_API_KEY", "KRAKEN_TESTNET_API_SECRET"),
    "krakenfutures": ("KRAKEN_FUTURES_DEMO_API_KEY", "KRAKEN_FUTURES_DEMO_API_SECRET"),
}


@dataclass(frozen=True)
class Credentials:
    """A key and its secret; printing it shows neither."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


def find_credentials(venue: str) -> Credentials:
    """Return the credentials for a venue, from the environment or the keyring.

    Raises:
        ExchangeAuthenticationError: there are none; says where they belong.
    """
    names = variables_of(venue)
    values = [os.environ.get(name) or _from_keyring(name) for name in names]
    if not all(values):
        missing = [name for name, value in zip(names, values, strict=True) if not value]
        raise ExchangeAuthenticationError(
            f"no credentials for {venue}: set {' and '.join(missing)} in the environment or in the keyring "
            f"(`keyring set peaktrade {missing[0]}`); never in a file of the workspace"
        )
    return Credentials(str(values[0]), str(values[1]))


def variables_of(venue: str) -> tuple[str, str]:
    """Return the names under which a venue's key and secret are looked for."""
    return _VARIABLES[venue]


def _from_keyring(name: str) -> str | None:
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
