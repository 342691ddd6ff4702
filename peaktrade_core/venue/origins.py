"""Places that a connection can be opened to, read by urllib3's parser, which is the one that connects."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError, ForbiddenRequestError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """One place to connect to; an IPv6 host is without its brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Return where urllib3 connects to for an address.

    Raises:
        ValueError: the address is not written as it is read; says how.
    """
    from urllib3.util import parse_url

    if not url.isascii() or any(char <= " " or char in "\\\x7f" for char in url):
        raise ValueError("it holds a backslash, white space, a control character or one that is not ASCII")
    try:
        parsed = parse_url(url)
    except ValueError:
        raise ValueError("it is not an address") from None
    if parsed.scheme not in PORTS or not parsed.host:
        raise ValueError("it must begin with http:// or https:// and a host")
    if parsed.auth is not None:
        raise ValueError("it holds a user before an @")
    read = f"{parsed.scheme}://{parsed.netloc}"
    if not url.startswith(read) or url[len(read) :][:1] not in ("", "/") or parsed.fragment is not None:
        raise ValueError(f"write it as {read}")
    return Origin(parsed.scheme, parsed.host.strip("[]"), PORTS[parsed.scheme] if parsed.port is None else parsed.port)


def loopback_origin(base_url: str) -> Origin:
    """Return where a base URL leads to, which is a place on this machine.

    Raises:
        ConfigError: it does not, or can be read in two ways.
    """
    from urllib3.util import parse_url

    try:
        origin = origin_of(base_url)
        if origin.host not in LOOPBACK:
            raise ValueError("its host must be 127.0.0.1, localhost or [::1]")
        if parse_url(base_url).url != base_url or not re.fullmatch(r"[a-z]+://[^/]+(/[A-Za-z0-9_.~-]+)*/?", base_url):
            raise ValueError("its path can be read in two ways; leave the path out")
    except ValueError as wrong:
        raise ConfigError(
            f"base_url = {base_url!r} must be on this machine, for example http://127.0.0.1:8080: {wrong}"
        ) from None
    return origin


def loopback_addresses(host: str, port: int) -> list[str]:
    """Return the addresses that a name has just now, all of them on this machine.

    Raises:
        ForbiddenRequestError: one of them is elsewhere.
        OSError: it has none.
    """
    found = list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    foreign = [address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_loopback]
    if foreign:
        raise ForbiddenRequestError(
            f"not sent: {host} means {', '.join(foreign)} here, which is not this machine; mend /etc/hosts or the "
            "name server, or write 127.0.0.1 as base_url"
        )
    return found
