"""How figures and states are written for people: the same words in terminal, page, notebook and report."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import floor, isfinite, log10

BADGES = {
    "completed": "✓ OK",
    "failed": "✕ FAIL",
    "aborted": "⊘ ABORT",
    "started": "● RUN",
    "running": "● RUN",
    "reducing": "▼ REDUCING",
    "blocked": "⊘ BLOCKED",
    "halted": "■ HALTED",
    "checks": "✕ CHECKS",
    "silent": "◔ SILENT",
    "died": "✕ DIED",
    "unreadable": "? UNREADABLE",
}
REALIZED, UNREALIZED, TOTAL = "Realized PnL", "Unrealized PnL", "Total PnL"  # total = realized + unrealized
MARKS = {"pass": "✓ pass", "unknown": "? unknown", "warn": "▲ warn", "fail": "✕ fail"}
NOTHING = "–"
CASH = frozenset(  # counted in hundredths; also what stands for a dollar or a euro
    [
        "EUR",
        "USD",
        "GBP",
        "CHF",
        "CAD",
        "AUD",
        "NZD",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "CZK",
        "TRY",
        "BRL",
        "MXN",
        "ZAR",
        "SGD",
        "HKD",
        "CNY",
        "INR",
        "UAH",
        "ZUSD",
        "ZEUR",
        "ZGBP",
        "ZCAD",
        "USDT",
        "USDC",
        "DAI",
        "BUSD",
        "FDUSD",
        "TUSD",
        "PYUSD",
        "USDP",
        "EURT",
        "EURC",
    ]
)
WHOLE = frozenset(("JPY", "KRW", "HUF", "CLP", "VND"))  # counted in whole units
COIN_DECIMALS, PRICE_DIGITS = 8, 7
_LONGEST_CODE = 10  # characters of a currency
MINUS = "\N{MINUS SIGN}"  # as wide as the plus, unlike the hyphen
_HYPHEN = re.compile(r"(?<![\w.,)\]/-])-(?=\.?\d)")  # before a number, not within a word, a date or a range
TIED = "\N{NO-BREAK SPACE}"
_FIGURE = re.compile(  # a mark or a command, or a figure: a time span of two parts, a number and its unit
    r"<(?:code|pre|script|style|text|textarea|title)\b.*?</|<[^>]*>|"
    r"(?P<figure>\d (?:[dhm] \d+ [hms]|ms|[smhd%]|bps|bars?|[A-Z]{2,10})(?![\w/-]))",
    re.DOTALL,
)

_COMMAND = re.compile(r"`([^`]+)`")
_KEPT = re.compile(
    r"--?[A-Za-z][\w-]*(?:[ =](?!-)\S+)?|\S*-\S*"
)  # of a command: an option with its value, a word with a hyphen


def shortened(text: str, most: int) -> str:
    """Return the beginning and the end of a text that has more than ``most`` characters: a note may be a book."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end].rstrip()} … ({len(text) - most:,} more characters) … {text[-end:].lstrip()}"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text, no longer than ``most`` characters; the last one is a mark where something is left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def tied(markup: str) -> str:
    """Return HTML of ours in which no line ends between a figure and its unit; what is code stays as it is, to be copied."""
    return _FIGURE.sub(lambda found: found[0].replace(" ", TIED) if found["figure"] else found[0], markup)


def coded(text: str, plain: Callable[[str], str] = html.escape) -> str:
    """Return a text as HTML: what stands in backticks as a command, the rest as ``plain`` writes it."""
    parts = _COMMAND.split(text)  # every second one stood in backticks
    return "".join(command(part) if n % 2 else plain(part) for n, part in enumerate(parts))


def command(text: str, name: str = "") -> str:
    """Return what is to be typed as HTML; no line ends between an option and its value, nor at a hyphen, where there is room.

    Args:
        name: of the element's class.
    """
    kept = _KEPT.sub(lambda found: f'<span class="kept">{found[0].replace("=", "=<wbr>")}</span>', html.escape(text))
    return f'<code class="{name}">{kept}</code>' if name else f"<code>{kept}</code>"


def badge(status: str) -> str:
    """Return a word for how a run stands with its sign, so that colour is never alone."""
    return BADGES.get(status, status)


def money_places(value: float, currency: str) -> int:
    """Return with how many decimals an amount is written: cents, the eight of a coin, or what a small one needs."""
    if currency in CASH or currency in WHOLE:
        return 2 if currency in CASH else 0
    if currency.isupper():
        return COIN_DECIMALS
    small = 0.0 < abs(value) < 0.005 and round(value, COIN_DECIMALS) != 0.0  # of a currency that is not known
    return min(COIN_DECIMALS, 1 - floor(log10(abs(value)))) if small else 2


def _number(value: float, places: int) -> str:
    rounded = round(value, places)
    return f"{MINUS if rounded < 0 else ''}{abs(rounded):,.{places}f}"


def money(value: float | None, currency: str = "", *, code: bool = True) -> str:
    """Return an amount with its currency, as finely as that is counted: ``10,045.67 EUR``, ``0.05000000 BTC``.

    Args:
        value: the amount; None is a dash.
        currency: its currency; empty where it is not known, then a small amount keeps two digits of its own.
        code: whether the currency is written behind it.
    """
    if value is None:
        return NOTHING
    return f"{_number(value, money_places(value, currency))} {currency if code else ''}".rstrip()


def figure(value: float | None, digits: int | None = None, *, plus: bool = False) -> str:
    """Return a number that is no money as exact as people read it: ``0.00951567``, ``1,234.50``, ``−0.15``.

    Args:
        value: the number; None is a dash.
        digits: so many decimals; without it two from 100 on, and below that what there are, up to eight.
        plus: whether a number above zero has its sign, too.
    """
    if value is None:
        return NOTHING
    told = _number(value, digits if digits is not None else 2 if abs(value) >= 100 else COIN_DECIMALS)
    told = told.rstrip("0").rstrip(".") if digits is None and "." in told else told
    return f"+{told}" if plus and value > 0 and told.strip("0.,") else told


def minus(text: str) -> str:
    """Return a text with the sign of its negative numbers as wide as a plus; hyphens of dates, ids and options stay."""
    return _HYPHEN.sub(MINUS, text)


def signed(value: float | None, currency: str = "", *, code: bool = True) -> str:
    """Return an amount as :func:`money` does, a gain with its plus: ``+45.67 EUR``."""
    told = money(value, currency, code=code)
    return f"+{told}" if sign_class(value, currency) == "pos" else told


def sign_class(value: float | None, currency: str = "") -> str:
    """Return ``pos``, ``neg`` or ``zero`` for the amount as it is written."""
    rounded = round(value or 0.0, money_places(value or 0.0, currency))
    return "pos" if rounded > 0 else "neg" if rounded < 0 else "zero"


def price_places(value: float) -> int:
    """Return how many decimals a price has at most: so many that it shows seven digits, and two at least."""
    return max(2, PRICE_DIGITS - 1 - floor(log10(abs(value)))) if value and isfinite(value) else 2


def price(value: float | None, currency: str = "") -> str:
    """Return a price with the digits that it has, seven at most and two decimals at least: ``0.00001958 EUR``."""
    if value is None:
        return NOTHING
    whole, _, rest = _number(value, price_places(value)).partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2} {currency}".rstrip()


def percent(fraction: float | None, digits: int = 2) -> str:
    """Return a fraction as percent: ``−1.25 %``; a dash where there is none."""
    if fraction is None:
        return NOTHING
    rounded = round(100 * fraction, digits)
    return f"{MINUS if rounded < 0 else ''}{abs(rounded):.{digits}f} %"


def gained(fraction: float | None) -> str:
    """Return a return as percent with its sign: ``+1.25 %``; a dash where there is none."""
    told = percent(fraction)
    return f"+{told}" if fraction is not None and round(100 * fraction, 2) > 0 else told


def drawdown(fraction: float | None) -> str:
    """Return a fall from the best so far as percent, without a sign; a dash where there is none."""
    return percent(None if fraction is None else abs(fraction))


def count(value: float | None) -> str:
    """Return a whole number; a dash where there is none."""
    return NOTHING if value is None else f"{value:,.0f}"


def many(n: int, what: str, more: str = "") -> str:
    """Return a number of things: ``1 call``, ``3 calls``; ``more`` is the plural where it is another: ``2 tries``."""
    return f"{n:,} {what if n == 1 else more or what + 's'}"


def times(codes: object) -> str:
    """Return how often each of some codes was said, ``HALTED × 5, MAX_ORDER_NOTIONAL × 1``; empty without any."""
    found = codes if isinstance(codes, Mapping) else {}
    return ", ".join(f"{code} × {n:,}" for code, n in found.items() if isinstance(n, int))


def first_of(names: Sequence[str], most: int, sign: str = ", ") -> str:
    """Return the first of some names and how many more there are: ``a, b and 4 more``."""
    return sign.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def counted(names: Sequence[str], none: str) -> str:
    """Return how many things there are, and the first three: ``5: a, b, c``; ``none`` where there is none."""
    return f"{len(names)}: {', '.join(names[:3])}" if names else none


def beside(value: float, limit: float) -> str:
    """Return a figure in two places, or in as many as it takes to tell it from the limit that it misses."""
    for places in range(2, 7):
        told = f"{value:.{places}f}"
        if value == limit or float(told) != limit:
            break
    return minus(told)


def settings(given: Mapping[str, object]) -> str:
    """Return parameters as the commands take them, ``fast=20 slow=50``."""
    return " ".join(f"{name}={value}" for name, value in given.items())


def duration(seconds: float | None) -> str:
    """Return a time span in its largest units: ``40 ms``, ``4.2 s``, ``5 m 30 s``, ``1 h 30 m``, ``2 d 3 h``."""
    if seconds is None or seconds < 0:
        return NOTHING
    if seconds < 0.9995:
        return f"{1000.0 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, part, part_size in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part_size} {part}"
    return f"{whole} s"


def moment(at: datetime | None) -> str:
    """Return a time to the second, UTC, without the offset that the column's title says."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def minute(at: datetime | None) -> str:
    """Return a time to the minute, UTC."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M}"


def quote_currency(symbol: str | None) -> str:
    """Return the currency in which a symbol's money is counted: ``EUR`` for ``BTC/EUR`` and ``BTC/EUR-PERP``.

    A contract's is the one that it is settled in: ``BTC`` for ``BTC/USD:BTC``.

    Empty where the symbol, which a foreign record may bring, names none.
    """
    quote, _, settled = (symbol or "").partition("/")[2].partition(":")
    code = (settled or quote).partition("-")[0]
    return code if code.isalnum() and len(code) <= _LONGEST_CODE else ""


def short_id(text: str) -> str:
    """Return the end that tells one id from the next, ``…164326_68b784``; a text that is no id of a run as it is."""
    found = re.search(r"_\d{8}_(\d{6}_\w{1,12})$", text)
    return f"…{found[1]}" if found else text
