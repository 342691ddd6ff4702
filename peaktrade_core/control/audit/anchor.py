"""Time stamps of the ledger: a time stamp authority signs the hash of its last entry, so that its time is proved outside.

What is stamped is the entry's line, so that the imprint is the head itself: `openssl ts -verify -digest HEAD` says the
same as :data:`anchors`. The answer is kept in the ledger. Needs the extra ``anchor`` and ``[audit] anchor_url``.

Source: RFC 3161 (time-stamp protocol).
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from peaktrade_core.base.chain import verified
from peaktrade_core.base.clock import as_utc, iso
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, why
from peaktrade_core.base.log import whole_lines
from peaktrade_core.base.question import FAIL, PASS, WARN, Found, question
from peaktrade_core.workspace.ledger import ANCHORS, Ledger
from peaktrade_core.workspace.workspace import Workspace

STAMPED = "stamped"
NO_EXTRA = "time stamps need the extra: pip install 'peaktrade[anchor]'"
_QUERY = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
_MOST = 1 << 20  # bytes of an answer


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A time stamp of the ledger.

    Attributes:
        id: the authority's serial number; entry: the number of the last entry that it covers, from 1; head: its hash.
        at: the authority's time, aware UTC; url: where it was asked; answer: its answer, DER as base64.
    """

    id: str
    entry: int
    head: str
    at: datetime
    url: str
    answer: str


def anchor(place: Workspace) -> Anchor:
    """Have the last entry of the ledger stamped now, verify the answer, and enter it.

    Raises:
        ConfigError: no authority is configured, its certificates cannot be read, or there is no ledger yet.
        EnvironmentFault: the extra is missing, the authority cannot be reached or answers no time stamp; nothing was entered.
        ArtefactError: the ledger is broken, or the answer is not a good time stamp of its last entry; nothing was entered.
    """
    url = place.config.audit.anchor_url
    if not url:
        raise ConfigError("no time stamp authority is configured: set [audit] anchor_url in config/config.toml")
    _library()
    roots_of(place)
    path = Ledger.of(place).path
    lines = whole_lines(path)
    if not lines:
        raise ConfigError(f"{place.home} has no ledger yet: nothing was recorded that could be stamped")
    link, head = deque(verified(path, lines), maxlen=1).pop()
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = (
        TimestampRequestBuilder().data(lines[-1]).hash_algorithm(HashAlgorithm.SHA256)
    )  # its imprint is the head itself
    request = builder.cert_request(cert_request=True).nonce(nonce=True).build()
    shown = _without_password(url)
    data = _asked(url, shown, request.as_bytes(), place.config.audit.anchor_timeout_s)
    info = _verified(place, data, head, request.nonce)
    found = Anchor(
        id=f"TS-{info.serial_number}", entry=link.seq + 1, head=head, at=as_utc(info.gen_time), url=shown,
        answer=base64.b64encode(data).decode(),
    )  # fmt: skip
    said = msgspec.to_builtins(found) | {"at": iso(found.at)}
    Ledger.of(place).section(ANCHORS).append((STAMPED, said), at=place.clock.now())
    return found


@question("anchors", "Is every time stamp of the ledger good?", "Compare with a backup and with the heads in reports.")
def anchors(place: Workspace) -> Found:
    """Verify each time stamp that the ledger holds: its signature, and that the entry which it names has that hash."""
    held = list(stamped(Ledger.of(place)))
    if not held:
        return PASS, "the ledger was never stamped by an authority"
    last = f"{len(held)} time stamps, the last of {held[-1].at:%Y-%m-%d %H:%M} UTC over entry {held[-1].entry:,}"
    heads = {link.seq + 1: digest for link, digest in Ledger.of(place).links()}
    if wrong := next((one for one in held if heads.get(one.entry) != one.head), None):
        return FAIL, f"{wrong.id} stamps another entry {wrong.entry:,} than the ledger holds: it was written anew"
    try:
        _library()
        for one in held:
            told = iso(as_utc(_verified(place, _answer_of(one), one.head, None).gen_time))
            if told != iso(one.at):
                return FAIL, f"{one.id} says {iso(one.at)}, and the authority's answer {told}"
    except (ConfigError, EnvironmentFault) as missing:
        return WARN, f"{last}; not verified: {missing}", "Install it or put the file there, and verify again."
    except ArtefactError as error:
        return FAIL, f"{one.id}: {error}"
    return PASS, last


def stamped(ledger: Ledger) -> Iterator[Anchor]:
    """Yield the time stamps that a ledger holds, oldest first.

    Raises:
        ArtefactError: the ledger is broken, or an entry makes no sense.
    """
    for link, _ in ledger.of_section(ANCHORS):
        if link.kind == STAMPED:
            try:
                yield msgspec.convert(link.data, Anchor)
            except msgspec.ValidationError as error:
                raise ArtefactError(f"entry {link.seq + 1} of the ledger is not a time stamp: {why(error)}") from None


def roots_of(place: Workspace) -> tuple[Path, list[Any]]:
    """Return the file of the authority's root certificates, and what is in it.

    Raises:
        ConfigError: it cannot be read, or holds none.
    """
    from cryptography.x509 import load_pem_x509_certificates

    path = place.home / place.config.audit.anchor_roots
    try:
        return path, load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: the root certificates of the time stamp authority cannot be read ({why(error)}); put them there as PEM, "
            "or say in [audit] anchor_roots where they are"
        ) from None


def _answer_of(one: Anchor) -> bytes:
    try:
        return base64.b64decode(one.answer, validate=True)
    except binascii.Error as error:
        raise ArtefactError(f"its answer cannot be read: {error}") from None


def _library() -> None:
    try:
        import rfc3161_client  # noqa: F401
    except ImportError:
        raise EnvironmentFault(NO_EXTRA) from None


def _without_password(url: str) -> str:
    """Return an address as it may be kept and told."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _asked(url: str, shown: str, query: bytes, timeout_s: float) -> bytes:
    """Return what an authority answers; what it is given is a hash and a number by chance.

    Raises:
        EnvironmentFault: it cannot be reached, or answers with an error.
    """
    import requests
    from urllib3.exceptions import HTTPError

    session = requests.Session()
    session.trust_env = False
    try:
        with session.post(url, query, headers=_QUERY, timeout=timeout_s, allow_redirects=False, stream=True) as answer:
            data = answer.raw.read(_MOST, decode_content=True)
    except (requests.RequestException, HTTPError, OSError) as error:
        raise EnvironmentFault(
            f"the time stamp authority at {shown} cannot be reached: {type(error).__name__}; nothing was entered, try again later"
        ) from None
    if answer.status_code != 200:
        raise EnvironmentFault(
            f"the time stamp authority at {shown} answers with HTTP {answer.status_code}; nothing was entered"
        )
    return bytes(data)


def _verified(place: Workspace, data: bytes, head: str, nonce: int | None) -> Any:
    """Return what an answer says once it is found to be a good time stamp of a head.

    Raises:
        ConfigError: there are no root certificates; ArtefactError: it is not.
    """
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    path, roots = roots_of(place)
    try:
        found = decode_timestamp_response(data)
    except ValueError:
        raise ArtefactError("what the authority answered is not a time stamp") from None
    builder = VerifierBuilder() if nonce is None else VerifierBuilder().nonce(nonce)
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify(found, bytes.fromhex(head))
    except (VerificationError, ValueError) as error:
        raise ArtefactError(
            f"the answer is not a good time stamp of {head[:16]}…: {error}; certificates are verified as of its own time, "
            f"with those in {path.name}"
        ) from None
    return found.tst_info
