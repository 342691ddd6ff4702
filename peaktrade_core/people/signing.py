"""OpenSSH signatures, made and verified by ``ssh-keygen -Y``, which git uses as well. A key is only ever used by it.

Signatures are made in a namespace of our own, so that one given for a commit or a file approves nothing here.
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, why
from peaktrade_core.base.text import one_line
from peaktrade_core.people.roster import bare

NAMESPACE = "peaktrade-approval"
PROGRAM = "ssh-keygen"
LONGEST = 20_000  # characters of a signature
_WAIT_S = 120.0  # for a passphrase, or a touch of the key
_SIGNER = "signer"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def missing() -> str:
    """Return in a sentence that this machine has no ``ssh-keygen``; empty where it has."""
    if shutil.which(PROGRAM):
        return ""
    return f"{PROGRAM} is not on this machine, so nothing can be signed or verified; install the OpenSSH client"


def sign(text: str, key: Path) -> str:
    """Sign a text and return the signature, armoured.

    Args:
        text: what is signed; key: a private key, or a public one whose private part the agent holds. A passphrase is asked for
            in the terminal, where there is one.

    Raises:
        ConfigError: there is no such key, or it cannot be used; EnvironmentFault: there is no ``ssh-keygen``, or no room.
    """
    _needed()
    if not key.is_file():
        raise ConfigError(f"{key} is not a key file; give yours with --key, for example --key ~/.ssh/id_ed25519")
    try:
        with tempfile.TemporaryDirectory(prefix="peaktrade-sign-") as folder:
            path = Path(folder) / "request"
            path.write_bytes(text.encode())
            done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(path)])
            made = path.with_suffix(".sig")
            if done.returncode or not made.is_file():
                told = one_line(done.stderr.decode(errors="replace")) or f"it ended with {done.returncode}"
                raise ConfigError(
                    f"{key} did not sign: {told}. A key with a passphrase needs a terminal, or `ssh-add` before"
                )
            return made.read_text()
    except OSError as error:
        raise EnvironmentFault(f"cannot sign with {key}: {why(error)}") from error


def signed_with(signature: str) -> str:
    """Return the public key that a signature says it was made with, ``ssh-ed25519 AAAA…``; it is not verified here.

    Raises:
        ArtefactError: it is no OpenSSH signature.
    """
    body = signature.strip()
    if not body.startswith(_BEGIN) or not body.endswith(_END) or len(body) > LONGEST:
        raise ArtefactError("it is no OpenSSH signature")
    try:
        data = base64.b64decode("".join(body[len(_BEGIN) : -len(_END)].split()), validate=True)
    except (binascii.Error, ValueError):
        raise ArtefactError("the signature is cut off or was changed") from None
    if data[:6] != b"SSHSIG" or len(data) < 14:
        raise ArtefactError("it is no OpenSSH signature")
    key = data[14 : 14 + int.from_bytes(data[10:14])]
    kind = key[4 : 4 + int.from_bytes(key[:4])].decode(errors="replace")
    return f"{kind} {base64.b64encode(key).decode()}"


def verifies(text: str, signature: str, key: str) -> bool:
    """Return whether a key signed exactly this text, in our namespace; ``ssh-keygen`` is asked once for each.

    Raises:
        EnvironmentFault: there is no ``ssh-keygen``, or no room.
    """
    _needed()
    return _verified(text, signature, bare(key))


@lru_cache(maxsize=4096)
def _verified(text: str, signature: str, key: str) -> bool:
    try:
        with tempfile.TemporaryDirectory(prefix="peaktrade-verify-") as folder:
            allowed, given = Path(folder) / "allowed", Path(folder) / "signature"
            allowed.write_text(f'{_SIGNER} namespaces="{NAMESPACE}" {key}\n')
            given.write_text(signature)
            which = ["-f", str(allowed), "-I", _SIGNER, "-n", NAMESPACE, "-s", str(given)]
            return _run(["-Y", "verify", *which], text.encode()).returncode == 0
    except OSError as error:
        raise EnvironmentFault(f"cannot verify a signature: {why(error)}") from error


def public_key(key: Path) -> str:
    """Return the public part of a key file: what lies beside it, or what ``ssh-keygen`` reads from it.

    Raises:
        ConfigError: it is no key; EnvironmentFault: there is no ``ssh-keygen``.
    """
    _needed()
    beside = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    try:
        if beside.is_file():
            return bare(beside.read_text(errors="replace"))
        done = _run(["-y", "-f", str(key)])
    except OSError as error:
        raise ConfigError(f"cannot read {key}: {why(error)}") from None
    if done.returncode:
        raise ConfigError(f"{key} is not a private SSH key, or its passphrase was not given")
    return bare(done.stdout.decode(errors="replace"))


def own_keys() -> list[Path]:
    """Return the keys of the login that runs this: each ``.pub`` file in ``~/.ssh``."""
    try:
        return sorted((Path.home() / ".ssh").glob("*.pub"))
    except (RuntimeError, OSError):
        return []


def _needed() -> None:
    if told := missing():
        raise EnvironmentFault(told)


def _run(arguments: list[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run ``ssh-keygen``; it may ask the terminal, and nothing else: no window is opened."""
    environment = {**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603  (a fixed program, its arguments are paths of ours)
            [shutil.which(PROGRAM) or PROGRAM, *arguments],
            input=given,
            capture_output=True,
            timeout=_WAIT_S,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFault(f"{PROGRAM} did not answer within {_WAIT_S:g} s; nothing was signed") from None
    if done.returncode < 0:  # it says nothing about a signature, and must not be remembered as an answer
        raise EnvironmentFault(f"{PROGRAM} was ended by signal {-done.returncode}; try again")
    return done
