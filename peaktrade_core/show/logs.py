"""What a service says on its console: sentences for people, or a JSON object a line for journald and what collects logs.

``PEAKTRADE_LOG=json`` decides. Then everything that `watch`, `dashboard` and `schedule run` say (and the libraries under
them, by Python's own logging) is one line on standard error with the names that structlog uses. No secret is in a line:
what the environment and the command line hold of them is taken out in whatever form it is written.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from peaktrade_core.base.text import inert, redacted
from peaktrade_core.show.streams import put

FORMAT = "PEAKTRADE_LOG"
JSON, TEXT = "json", "text"
SECRETS = ("_KEY", "_SECRET", "_TOKEN", "_PASSWORD", "_PASSPHRASE")  # how names in the environment end that hold one
SHORTEST = 6  # characters of a secret; what is shorter would take words out
LONGEST = 8_000  # characters of one event
_IN_ADDRESS = re.compile(r"(\w+://)[^/\s:@]*:[^/\s@]*@")  # who, and the password, before a host
_IN_QUERY = re.compile(r"(?i)((?:token|api_?key|secret|password)=)[^&\s\"']+")
_LOGGERS = {"peaktrade": logging.INFO, "": logging.WARNING}


class Lines:
    """The JSON lines of this process: who speaks, and what must not be said."""

    def __init__(self, unit: str, hidden: Iterable[str] = ()) -> None:
        self.unit = unit
        self.hidden = tuple(dict.fromkeys(one for one in hidden if len(one) >= SHORTEST))

    def line(self, event: str, level: str = "info", **more: object) -> str:
        """Return an event as one line of JSON."""
        told: dict[str, object] = {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "logger": f"peaktrade.{self.unit}",
            "event": self._safe(event),
            "pid": os.getpid(),
        }
        told |= {name: self._safe(str(value)) for name, value in more.items() if value not in (None, "")}
        return msgspec.json.encode(told).decode()

    def _safe(self, text: str) -> str:
        """Return text without secrets and control characters, not too long."""
        text = _IN_QUERY.sub(r"\1***", _IN_ADDRESS.sub(r"\1***@", text))
        text = inert(redacted(text, self.hidden) if self.hidden else text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


class _Handler(logging.Handler):
    """Turns what libraries log into our lines."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an error of it is passed over, as there is nowhere to tell it."""
        try:
            fault = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else None
            level = "critical" if record.levelno >= logging.CRITICAL else record.levelname.lower()
            put(self._lines.line(record.getMessage(), level, source=record.name, exception=fault), err=True)
        except Exception:  # as logging's own handlers do
            return


_lines: Lines | None = None


def speak_as_service(unit: str, secrets: Iterable[str | None] = (), environ: Mapping[str, str] = os.environ) -> None:
    """Write JSON lines from now on, where the environment asks for them.

    Args:
        unit: who speaks: ``watch``, ``dashboard``, ``schedule``.
        secrets: texts that must not be said; those of the environment are hidden anyway.
    """
    global _lines  # noqa: PLW0603 - the process has one console
    if environ.get(FORMAT, TEXT).strip().lower() != JSON:
        return
    known = [value for name, value in environ.items() if name.upper().endswith(SECRETS)]
    _lines = Lines(unit, [*filter(None, secrets), *known])
    handler = _Handler(_lines)
    for name, level in _LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().handlers = [handler]
    logging.captureWarnings(True)
    sys.excepthook = _last_words


def logged(text: str) -> bool:
    """Write what is said as a line where lines are asked for, and return whether they are."""
    if _lines is None:
        return False
    level = "error" if text.startswith("error:") else "info"
    put(_lines.line(text.removeprefix("error:").strip(), level), err=True)
    return True


def event(text: str, level: str = "info", **more: object) -> None:
    """Write an event where lines are asked for; people find it elsewhere, as in the operations log."""
    if _lines is not None:
        put(_lines.line(text, level, **more), err=True)


def in_json() -> bool:
    """Return whether this process writes JSON lines."""
    return _lines is not None


def take_over(logger: Any) -> None:
    """Let a library's own logger, which has handlers of its own, speak through ours."""
    if _lines is not None:
        logger.handlers = [_Handler(_lines)]
        logger.propagate = False


def _last_words(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    event(f"{kind.__name__}: {error}", "critical", exception="".join(traceback.format_exception(kind, error, trace)))
