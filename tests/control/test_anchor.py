"""Time stamps of the ledger from an authority on this machine: `openssl ts` answers as one does elsewhere."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.control.audit.anchor import anchor, stamped
from peaktrade_core.control.audit.daily import everything
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

_SETTINGS = """
[tsa]
default_tsa = it
[it]
serial = {0}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """A time stamp authority: its root, its certificate, and a server that answers whatever ``answer`` makes of a query."""

    def __init__(self, folder: Path, *, days: int = 30) -> None:
        if shutil.which("openssl") is None:
            pytest.fail("these tests need openssl")
        self.folder, self.answer = folder, self.stamp
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = _certificate("root", root_key, "root", root_key, now - timedelta(days=400), now + timedelta(days=400))
        span = (now - timedelta(days=60), now + timedelta(days=days))
        own = _certificate("stamps", key, "root", root_key, *span, stamps=True)
        self.root = root.public_bytes(serialization.Encoding.PEM)
        (folder / "root.pem").write_bytes(self.root)
        (folder / "own.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_SETTINGS.format(folder))

    def stamp(self, query: bytes) -> tuple[int, bytes]:
        (self.folder / "query").write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-signer", "own.pem"]
        command += ["-inkey", "key.pem", "-out", "reply"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return 200, (self.folder / "reply").read_bytes()


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, by: str, signer: ec.EllipticCurvePrivateKey,
                 begin: datetime, end: datetime, *, stamps: bool = False) -> x509.Certificate:  # fmt: skip
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(by)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=not stamps, path_length=None), critical=True)
    )  # fmt: skip
    if stamps:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return made.sign(signer, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def serve(workspace: Workspace, configure: Callable[[str, str], None]) -> Iterator[Callable[[Authority], None]]:
    """Return a function that serves an authority and configures it; nothing but loopback is used."""
    servers = list[http.server.HTTPServer]()

    def start(one: Authority) -> None:
        class Answering(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                code, data = one.answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(code)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        configure('anchor_url = ""', f'anchor_url = "http://127.0.0.1:{server.server_port}/tsa"')
        (workspace.home / "config" / "anchor_roots.pem").write_bytes(one.root)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def begun(workspace: Workspace) -> Workspace:
    Ledger.of(workspace).section("trials").append(("begun", {"id": "x"}), at=workspace.clock.now())
    return workspace


def answer_of(place: Workspace) -> tuple[str, str]:
    found = {one.id: one for one in everything(Workspace(place.home))}["anchors"]
    return found.status, found.evidence


def entries(place: Workspace) -> int:
    return sum(1 for _ in Ledger(place.home).links())


def test_the_last_entry_is_stamped_verified_and_in_the_bundle(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], peaktrade, tmp_path: Path
) -> None:
    assert answer_of(begun) == ("pass", "the ledger was never stamped by an authority")
    serve(authority)
    ended = peaktrade("audit", "anchor")
    assert (ended.code, "entry 2 of the ledger was there at" in ended.stdout) == (0, True), ended.stderr
    assert answer_of(begun)[0] == "pass"
    assert "1 time stamps, the last of" in answer_of(begun)[1]
    assert peaktrade("audit", "verify").code == 0
    assert peaktrade("audit", "bundle", tmp_path / "b.zip").code == 0
    shutil.unpack_archive(tmp_path / "b.zip", tmp_path / "elsewhere")
    script = [sys.executable, "-I", "-S", str(tmp_path / "elsewhere" / "verify.py")]
    told = subprocess.run(script, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    command = next(line.strip() for line in told.stdout.splitlines() if "openssl ts" in line)
    done = subprocess.run(command.split(), cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_time_that_the_authority_did_not_say_is_found(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(authority)
    place = Workspace(begun.home)
    said = anchor(place)
    later = msgspec.structs.replace(said, at=said.at + timedelta(days=1))
    monkeypatch.setattr("peaktrade_core.control.audit.anchor.stamped", lambda _: [later])
    assert answer_of(begun) == ("fail", f"{said.id} says {iso(later.at)}, and the authority's answer {iso(said.at)}")


def test_a_password_in_the_address_of_the_authority_is_neither_kept_nor_told(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], configure: Callable[[str, str], None]
) -> None:
    serve(authority)
    configure('anchor_url = "http://', 'anchor_url = "http://ada:hush@')
    found = anchor(Workspace(begun.home))
    assert found.url.startswith("http://127.0.0.1:")
    assert b"hush" not in Ledger(begun.home).path.read_bytes()
    configure(f"@127.0.0.1:{found.url.split(':')[2].split('/')[0]}", "@127.0.0.1:9")
    with pytest.raises(EnvironmentFault) as silent:
        anchor(Workspace(begun.home))
    assert "hush" not in str(silent.value)


def test_a_ledger_that_was_written_anew_no_longer_has_what_was_stamped(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], peaktrade
) -> None:
    serve(authority)
    assert peaktrade("audit", "anchor").code == 0
    from peaktrade_core.base.chain import BEGINNING, Chain, linked

    path = Ledger(begun.home).path
    said = [(link.at, link.kind, link.data) for link, _ in Chain(path).links()]
    said[1] = (said[1][0], said[1][1], {"id": "another"})
    path.write_bytes(b"".join(line + b"\n" for line in linked(said, 0, BEGINNING)[0]))
    assert answer_of(begun)[0] == "fail"
    assert "it was written anew" in answer_of(begun)[1]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda one: lambda query: (503, b""), "answers with HTTP 503; nothing was entered"),
        (lambda one: lambda query: (200, b"<html>hello</html>"), "what the authority answered is not a time stamp"),
        (lambda one: lambda query: (200, b""), "what the authority answered is not a time stamp"),
        (lambda one: lambda query: one.stamp(_OTHER_QUERY), "is not a good time stamp of"),
    ],
    ids=["an error", "a page", "nothing", "a stamp of something else"],
)
def test_a_wrong_answer_is_said_and_nothing_is_entered(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], peaktrade, answer, told: str
) -> None:
    authority.answer = answer(authority)
    serve(authority)
    before = entries(begun)
    ended = peaktrade("audit", "anchor")
    assert (ended.code != 0, told in " ".join(ended.stderr.split())) == (True, True), ended.stderr
    assert entries(begun) == before


def _query() -> bytes:
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    return (
        TimestampRequestBuilder()
        .data(b"something else")
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .build()
        .as_bytes()
    )


_OTHER_QUERY = _query()


def test_an_expired_certificate_and_a_stranger_are_refused(
    begun: Workspace, tmp_path: Path, serve: Callable[[Authority], None], peaktrade
) -> None:
    expired = Authority(tmp_path / "expired", days=-1)
    serve(expired)
    ended = peaktrade("audit", "anchor")
    assert (ended.code != 0, "is not a good time stamp" in " ".join(ended.stderr.split())) == (True, True), ended.stderr
    stranger = Authority(tmp_path / "stranger")
    expired.answer = stranger.stamp
    assert peaktrade("audit", "anchor").code != 0
    assert [link.kind for link, _ in Ledger(begun.home).links()] == ["ledger/begun", "trials/begun"]


def test_what_is_missing_is_said(
    workspace: Workspace, authority: Authority, serve: Callable[[Authority], None], configure, peaktrade,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert "no time stamp authority is configured" in peaktrade("audit", "anchor").stderr
    serve(authority)
    assert "has no ledger yet" in peaktrade("audit", "anchor").stderr
    Ledger.of(workspace).section("trials").append(("begun", {"id": "x"}), at=workspace.clock.now())
    assert peaktrade("audit", "anchor").code == 0
    (workspace.home / "config" / "anchor_roots.pem").write_text("nothing")
    assert "root certificates of the time stamp authority" in " ".join(peaktrade("audit", "anchor").stderr.split())
    assert answer_of(workspace)[0] == "warn"
    (workspace.home / "config" / "anchor_roots.pem").write_bytes(authority.root)
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'peaktrade\[anchor\]'"):
        anchor(Workspace(workspace.home))
    assert answer_of(workspace)[0] == "warn"
    monkeypatch.undo()


def test_an_authority_that_is_not_there_is_said(begun: Workspace, authority: Authority, configure, peaktrade) -> None:
    configure('anchor_url = ""', 'anchor_url = "http://127.0.0.1:9/tsa"')
    (begun.home / "config" / "anchor_roots.pem").write_bytes(authority.root)
    ended = peaktrade("audit", "anchor")
    assert (ended.code != 0, "cannot be reached" in ended.stderr) == (True, True)


def test_an_answer_that_breaks_off_or_is_no_gzip_is_said(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], configure, peaktrade
) -> None:
    heads = b"Content-Type: application/timestamp-reply\r\n"
    for answer in (
        heads + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
        heads + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        heads + b"Content-Length: 100\r\n\r\nshort",
    ):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]

            def speak(answer: bytes = answer, listening: socket.socket = listening) -> None:
                with listening.accept()[0] as asked:
                    asked.recv(65536)
                    asked.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + answer)

            speaking = threading.Thread(target=speak, daemon=True)
            speaking.start()
            text = begun.config_path.read_text()
            begun.config_path.write_text(re.sub("anchor_url = .*", f'anchor_url = "http://127.0.0.1:{port}/tsa"', text))
            (begun.home / "config" / "anchor_roots.pem").write_bytes(authority.root)
            with pytest.raises((EnvironmentFault, ArtefactError), match=r"cannot be reached|is not a time stamp"):
                anchor(Workspace(begun.home))
            speaking.join(10)
    assert entries(begun) == 2


def test_a_ledger_that_lacks_a_line_is_not_stamped(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None]
) -> None:
    serve(authority)
    path = begun.reports / "ledger.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[-1])
    with pytest.raises(ArtefactError, match="does not follow"):
        anchor(Workspace(begun.home))


def test_the_job_stamps_once_there_is_an_authority_and_tells_one_that_is_not_there(
    begun: Workspace, authority: Authority, serve: Callable[[Authority], None], configure, peaktrade
) -> None:
    def turn() -> list[str]:
        assert peaktrade("alerts", "check", "--record").stdout
        rows = json.loads(peaktrade("alerts", "list", "--json").stdout)["alerts"]
        return [row["key"] for row in rows if row["rule_id"] == "failed-job" and row["state"] == "raised"]

    shutil.copy(Path(__file__).parents[2] / "config" / "alerts.toml", begun.home / "config" / "alerts.toml")
    off = peaktrade("schedule", "run-now", "audit_anchor")
    assert (off.code, "off: no time stamp authority is configured" in off.stdout) == (0, True), off.stdout
    assert (list(stamped(Ledger(begun.home))), turn()) == ([], [])
    serve(authority)
    done = peaktrade("schedule", "run-now", "audit_anchor")
    (held,) = stamped(Ledger(begun.home))
    assert (done.code, f"{held.id}: entry {held.entry} of the ledger was there" in done.stdout) == (0, True), (
        done.stdout
    )
    page = Page(lambda: Workspace(begun.home)).panel("ledger")
    assert (held.id in page, "s ago" in page) == (True, True)
    authority.answer = lambda _: (500, b"")
    failed = peaktrade("schedule", "run-now", "audit_anchor")
    assert (failed.code, "answers with HTTP 500" in failed.stdout + failed.stderr) == (1, True), failed
    assert (len(list(stamped(Ledger(begun.home)))), turn()) == (1, ["audit_anchor"])
    authority.answer = authority.stamp
    assert peaktrade("schedule", "run-now", "audit_anchor").code == 0
    assert turn() == []
