"""Every fault puts on the wire what it says; asked with plain sockets, which hide nothing."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time

import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueFault
from tests.conftest import until

OHLC = "/0/public/OHLC?pair=XBTEUR"


def open_to(venue: LoopbackVenue, timeout: float = 30.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(venue.url.rsplit(":", 1)[1])), timeout=timeout)


def raw(venue: LoopbackVenue, path: str = OHLC, seconds: float = 0.4) -> tuple[bytes, str]:
    """Return all bytes that come within ``seconds`` of silence, and how it ended: closed, reset or silent."""
    with open_to(venue, seconds) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while True:
            try:
                piece = connection.recv(1 << 16)
            except TimeoutError:
                return data, "silent"
            except ConnectionResetError:
                return data, "reset"
            if not piece:
                return data, "closed"
            data += piece


def split(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.fixture
def whole(venue: LoopbackVenue) -> bytes:
    """Return the body of the undisturbed answer."""
    return whole_reply(venue)[2]


def whole_reply(venue: LoopbackVenue, path: str = OHLC) -> tuple[int, dict[str, str], bytes]:
    """Return an answer that is sent completely."""
    connection = http.client.HTTPConnection("127.0.0.1", int(venue.url.rsplit(":", 1)[1]), timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


def test_an_undisturbed_answer_is_whole_and_keeps_the_connection(venue) -> None:
    data, end = raw(venue)
    status, headers, body = split(data)
    assert (status, end, int(headers["Content-Length"])) == (200, "silent", len(body))
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Date"] == "Thu, 01 Jan 2026 12:00:00 GMT"
    assert json.loads(body)["error"] == []


@pytest.mark.parametrize("fault", [VenueFault.hang(), VenueFault.lost_acknowledgement()])
def test_silence(venue, fault) -> None:
    venue.faults.add(fault)
    assert raw(venue) == (b"", "silent")


def test_stall_sends_half_and_stops(venue, whole) -> None:
    venue.faults.add(VenueFault.stall())
    data, end = raw(venue)
    _, headers, body = split(data)
    assert (end, int(headers["Content-Length"]), body) == ("silent", len(whole), whole[: len(whole) // 2])


def test_drip_takes_its_time_and_arrives(venue, whole) -> None:
    venue.faults.add(VenueFault.drip(0.6))
    before = time.monotonic()
    data, _ = raw(venue, seconds=2.0)
    assert split(data)[2] == whole
    assert time.monotonic() - before > 0.6


def test_delay_answers_late(venue, whole) -> None:
    venue.faults.add(VenueFault.delay(0.3))
    before = time.monotonic()
    data, _ = raw(venue, seconds=0.6)
    assert split(data)[2] == whole
    assert time.monotonic() - before > 0.3


@pytest.mark.parametrize("fault", [VenueFault.reset(), VenueFault.lost_acknowledgement(cut=True)])
def test_reset_before_the_answer(venue, fault) -> None:
    venue.faults.add(fault)
    assert raw(venue) == (b"", "reset")


def test_reset_in_the_body(venue, whole) -> None:
    venue.faults.add(VenueFault.reset_in_body())
    data, end = raw(venue)
    assert end == "reset"
    assert split(data)[2] == whole[: len(whole) // 2]


@pytest.mark.parametrize("surplus", [100, -10])
def test_wrong_length(venue, whole, surplus: int) -> None:
    venue.faults.add(VenueFault.wrong_length(surplus))
    data, end = raw(venue)
    _, headers, body = split(data)
    assert (end, int(headers["Content-Length"]) - len(body), body) == ("closed", surplus, whole)


def test_truncated_json_looks_complete(venue, whole) -> None:
    venue.faults.add(VenueFault.truncated())
    _, headers, body = split(raw(venue)[0])
    assert int(headers["Content-Length"]) == len(body) == len(whole) // 2
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_bad_gzip(venue) -> None:
    venue.faults.add(VenueFault.bad_gzip())
    _, headers, body = split(raw(venue)[0])
    assert headers["Content-Encoding"] == "gzip"
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(body)


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        (VenueFault.empty(), b""),
        (VenueFault.json({}), b"{}"),
        (VenueFault.json(None), b"null"),
        (VenueFault.json([]), b"[]"),
        (VenueFault.json({"error": []}), b'{"error":[]}'),
        (VenueFault.error("EService:Busy"), b'{"error":["EService:Busy"]}'),
        (VenueFault.refusal("lockout"), b'{"error":["EGeneral:Temporary lockout"]}'),
    ],
)
def test_answers_of_200_that_are_none(venue, fault, body: bytes) -> None:
    venue.faults.add(fault)
    status, _, got = whole_reply(venue)
    assert (status, got) == (200, body)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 418, 429, 500, 502, 503, 504])
def test_statuses_come_as_a_page(venue, status: int) -> None:
    venue.faults.add(VenueFault.status(status))
    got, headers, body = whole_reply(venue)
    assert (got, headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert body.startswith(b"<html>")


def test_a_rate_limit_can_speak_and_say_when_to_come_back(venue) -> None:
    venue.faults.add(VenueFault.status(429, "EAPI:Rate limit exceeded", retry_after_s=7))
    status, headers, body = whole_reply(venue)
    assert (status, headers["Retry-After"], body) == (429, "7", b'{"error":["EAPI:Rate limit exceeded"]}')


def test_html_with_200(venue) -> None:
    venue.faults.add(VenueFault.html())
    status, headers, body = whole_reply(venue)
    assert (status, headers["Content-Type"], body[:6]) == (200, "text/html; charset=utf-8", b"<html>")


def test_a_redirect_loop_never_ends(venue) -> None:
    venue.faults.add(VenueFault.redirect_loop(), times=1)
    path = OHLC
    for _ in range(5):
        status, headers, _ = whole_reply(venue, path)
        assert status == 302
        path = headers["Location"]


def rows(venue: LoopbackVenue) -> list[list]:
    return json.loads(whole_reply(venue)[2])["result"]["XXBTZEUR"]


def test_candles_with_an_outlier_a_gap_or_a_delay(venue) -> None:
    good = rows(venue)
    with venue.faults.during(VenueFault.outlier_bar(10.0, ago=2), path="OHLC"):
        spiked = rows(venue)
    assert [n for n, row in enumerate(spiked) if row != good[n]] == [len(good) - 3]
    assert float(spiked[-3][4]) == pytest.approx(10.0 * float(good[-3][4]))
    assert float(spiked[-3][2]) >= float(spiked[-3][4])
    with venue.faults.during(VenueFault.missing_bars(3, ago=2), path="OHLC"):
        assert rows(venue) == good[:-5] + good[-2:]
    with venue.faults.during(VenueFault.hole(good[10][0], good[12][0]), path="OHLC"):
        assert rows(venue) == good[:10] + good[13:]
    with venue.faults.during(VenueFault.late_bars(120.0), path="OHLC"):
        assert rows(venue)[-1][0] == good[-1][0] - 120
    assert rows(venue) == good


def test_maintenance_is_stated_and_refuses_the_rest(venue) -> None:
    venue.faults.add(VenueFault.venue_state("maintenance"))
    status = json.loads(whole_reply(venue, "/0/public/SystemStatus")[2])
    assert status["result"]["status"] == "maintenance"
    assert json.loads(whole_reply(venue)[2]) == {"error": ["EService:Unavailable"]}


def test_a_skewed_clock_is_stated_and_moves_no_candle(venue) -> None:
    good = rows(venue)
    venue.faults.add(VenueFault.clock_skew(-3600.0))
    _, headers, body = whole_reply(venue, "/0/public/Time")
    assert json.loads(body)["result"]["unixtime"] == int(venue.clock.seconds()) - 3600
    assert headers["Date"] == "Thu, 01 Jan 2026 11:00:00 GMT"
    assert rows(venue) == good


def test_the_log_tells_what_came_and_what_it_met(venue) -> None:
    venue.faults.add(VenueFault.status(503), path=r"OHLC$", times=1)
    whole_reply(venue)
    whole_reply(venue, "/0/public/Time")
    first, second = venue.requests
    assert (first.method, first.path, first.fault) == ("GET", "/0/public/OHLC", "status_503")
    assert first.params == {"pair": "XBTEUR"}
    assert first.ts == venue.clock.seconds()
    assert (second.endpoint, second.fault) == ("Time", "")
    venue.forget()
    assert venue.requests == ()


def test_refused_means_refused_and_accept_brings_the_same_port_back(venue) -> None:
    url = venue.url
    idle = http.client.HTTPConnection("127.0.0.1", int(url.rsplit(":", 1)[1]), timeout=30)
    idle.request("GET", "/0/public/Time")
    idle.getresponse().read()
    venue.refuse()
    assert idle.sock.recv(1) == b""
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        open_to(venue)
    venue.accept()
    assert venue.url == url
    assert split(raw(venue)[0])[0] == 200


def test_a_taken_port_is_said(venue) -> None:
    with pytest.raises(EnvironmentFault, match=r"port \d+ on 127\.0\.0\.1 cannot be used"):
        LoopbackVenue(MarketSource.synthetic(), port=int(venue.url.rsplit(":", 1)[1]))


def test_it_ends_at_once_and_leaves_no_thread_though_requests_hang() -> None:
    before = set(threading.enumerate())
    with LoopbackVenue(MarketSource.synthetic()) as venue:
        clients = []
        for fault in (VenueFault.hang(), VenueFault.stall(), VenueFault.drip(60.0), VenueFault.delay(60.0)):
            venue.faults.add(fault, times=1)
            clients.append(open_to(venue))
            clients[-1].sendall(f"GET {OHLC} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        clients.append(open_to(venue))  # says nothing at all
        half = open_to(venue)
        half.sendall(b"POST /0/private/AddOrder HTTP/1.1\r\nContent-Length: 50\r\n\r\nnon")
        clients.append(half)
        while len(venue.requests) < 4:
            time.sleep(0.01)
        start = time.monotonic()
    assert time.monotonic() - start < 30.0  # half of what it would have waited for
    assert set(threading.enumerate()) == before
    for client in clients:
        client.close()


def test_a_client_that_leaves_a_hanging_request_frees_its_thread(venue) -> None:
    venue.faults.add(VenueFault.hang())
    raw(venue, seconds=0.05)
    until(lambda: not any(thread.name == "venue-connection" for thread in threading.enumerate()))


def test_a_bug_of_the_venue_does_not_pass_for_a_fault_of_the_exchange() -> None:
    def broken(_: object) -> list:
        raise ZeroDivisionError("a bug")

    venue = LoopbackVenue(MarketSource.synthetic())
    venue.faults.add(VenueFault("broken", bars=broken))
    with pytest.raises(ZeroDivisionError, match="a bug"), venue:
        raw(venue)


def test_many_clients_at_once_each_get_their_answer(venue) -> None:
    results: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(venue.url.rsplit(":", 1)[1]), timeout=30)
        for _ in range(10):
            connection.request("GET", "/0/public/Time")
            results.append(json.loads(connection.getresponse().read())["result"]["unixtime"])
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [int(venue.clock.seconds())] * 80
    assert len(venue.requests) == 80
