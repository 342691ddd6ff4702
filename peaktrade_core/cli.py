"""The command line, ``peaktrade``. Commands are imported when they are called, so that help comes at once.

Errors are one sentence on stderr; the exit code says of what kind (``docs/cli.md``).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import click

from peaktrade_core.base.errors import PeaktradeError, machine_fault
from peaktrade_core.base.resources import named
from peaktrade_core.base.text import decoded
from peaktrade_core.show.streams import ReaderGone, flush_streams, speak_plainly
from peaktrade_core.show.terminal import say

STOPPED = 130  # exit code
COMMANDS = {
    "init": ("desk.cli:init", "Make a workspace: a folder with a configuration."),
    "doctor": ("desk.cli:doctor", "Check environment, configuration, disk, clock and stale sessions."),
    "session": ("cli:session", "Run sessions, list them, show one, report on them, compare them."),
    "fleet": ("fleet.cli:fleet", "Start, stop and replace many runs, one process each."),
    "monitor": ("fleet.cli_monitor:monitor", "Watch runs: overview, one run, live."),
    "strategies": ("cli:strategies", "List the strategies, show one, promote one."),
    "backtest": (
        "research.cli:backtest",
        "Run a strategy over candles with the session's own decision code, compiled.",
    ),
    "sweep": (
        "research.trials.cli:sweep",
        "Try many parameters over the same candles, every try counted, with a verdict.",
    ),
    "portfolio": (
        "research.portfolio.cli:portfolio",
        "Run several decisions on one account; presets, and a builder from trials.",
    ),
    "scan": ("research.forward.cli:scan", "Ask one strategy on many markets: what it wants now, or a short backtest."),
    "forward": (
        "research.forward.cli:forward",
        "Write signals down before their outcome, and see later what became of them.",
    ),
    "findings": (
        "research.findings.cli:findings",
        "Ask whether what follows a state of a market differs from what follows at all times.",
    ),
    "experiments": (
        "research.experiments.cli:experiments",
        "Everything that was tried: list, rank, compare, sum up, note, export.",
    ),
    "holdout": ("research.trials.cli:holdout", "Show what research cannot read, and open it for one trial."),
    "exchange": ("candles.cli:exchange", "Ask the venue how it is and what it trades, and download candles."),
    "data": ("candles.cli:data", "List the stored candles and check candles for gaps and errors."),
    "risk": (
        "cli:risk",
        "Show limits and what is used of them, halt and resume, replay under other limits.",
    ),
    "killswitch": ("desk.cli_killswitch:killswitch", "Stop every session at once; two people release it."),
    "change": (
        "control.changing.cli:change",
        "Change configuration, limits, alert rules or code with approval; see what differs.",
    ),
    "people": ("people.cli:people", "Show who decides what, check that it can be signed, change people or keys."),
    "requests": ("people.cli:requests", "List what waits for signatures, or show one request."),
    "approve": ("people.cli:approve", "Sign a request with your own SSH key."),
    "reject": ("people.cli:reject", "Say no to a request, which ends it."),
    "readiness": (
        "desk.cli:readiness",
        "Answer the checklist of a stage: shadow, testnet or (always locked) live.",
    ),
    "smoke": ("desk.cli:smoke", "Run one small real session through everything, in a temporary workspace."),
    "ops": ("desk.cli:ops", "Orders, positions and health over all sessions; notes, emergency contacts, retention."),
    "orders": ("desk.cli:orders", "Show open orders, here and at the venue; preview what would be ordered."),
    "report": ("drills.cli:report", "Make the daily and the weekly report, and one of how everything stands."),
    "service": (
        "schedule.cli_service:service",
        "Units of systemd for watcher and dashboard: write them, see how they stand.",
    ),
    "schedule": ("schedule.cli:schedule", "Run daily reports, alert checks and retention by the clock."),
    "alerts": ("alerts.cli:alerts", "Ask the alert rules, take alerts on, silence, test channels and rules."),
    "incident": ("incidents.cli:incident", "Diagnose a session; open, carry, close and review incidents."),
    "watch": ("alerts.cli:watch", "Look after everything: recover, alert, stop, deliver, restart, jobs."),
    "todo": ("control.cli:todo", "List what waits for a person now, each with its next step and runbook."),
    "control": ("control.cli:control", "Print the operator output: layers L0 to L6, gates, routine, new evidence."),
    "gates": ("control.cli:gates", "Show the seven required gates, or run them."),
    "evidence": (
        "runbooks.cli:evidence",
        "List what runbooks left, show, add and countersign records, verify all of them.",
    ),
    "backup": ("control.backup.cli:backup", "Copy the workspace while sessions run, prove the copy, bring it back."),
    "audit": ("control.cli:audit", "Prove that live stays locked; verify every chained log."),
    "lab": ("runbooks.cli:lab", "Open a runbook in JupyterLab: a clean copy, its parameters as a form."),
    "runbook": ("runbooks.cli:runbook", "List runbooks and run one without a person."),
    "drill": ("drills.cli:drill", "Practise incidents where nothing can be lost, and be scored."),
    "dashboard": ("dashboard.cli:dashboard", "Serve the read-only dashboard."),
    "export": ("dashboard.cli:export", "Write what the dashboard shows as files."),
    "demo": ("dashboard.cli:demo", "Run three sessions, check and report them, and serve the dashboard."),
}


SESSION = {
    "run": (
        "session.cli:run",
        "Run one session: strategy, signal, risk, order, fill - journalled, recorded, summed up.",
    ),
    "import": ("session.imported.cli:import_", "Import what ran elsewhere: a freqtrade dry run, or a CSV of fills."),
    "list": ("session.cli:list_sessions", "List sessions, newest first."),
    "show": ("reports.cli:show", "Show one session (`latest` or its id): status, figures, configuration, checks."),
    "report": ("reports.cli:session_report", "Report on sessions as markdown, HTML or both."),
    "diff": (
        "research.cli:diff",
        "Say where a session first differs from its backtest or from OTHER, and what each cause cost.",
    ),
    "replay": ("research.replay.cli:replay", "Run a recorded session once more and compare it byte by byte."),
    "costs": (
        "research.over_sessions.cli:costs",
        "Measure what executions cost over many sessions, beside what is configured.",
    ),
}
STRATEGIES = {
    "list": ("session.cli:strategies", "List the strategies, their tiers and parameters."),
    "show": ("control.cli_strategies:show", "Show one strategy, its tier, and what the next one needs."),
    "promote": ("control.cli_strategies:promote_", "Raise the tier of a strategy that has all that takes."),
}
RISK = {
    "status": ("halts.cli:status", "Show what may be traded, who halted what and why, and the limits."),
    "halt": ("halts.cli:halt", "Halt trading: running sessions obey within a second, later ones start halted."),
    "resume": ("halts.cli:resume", "Let a halted scope trade again; takes a named person and a reason."),
    "show": ("halts.cli:show", "Show how much of each limit the account and each running session use."),
    "check": ("halts.cli:check", "Check the account, or one opening order of a new session."),
    "replay": ("research.cli:replay", "Run a recorded session once more under other limits."),
    "sweep": ("research.over_sessions.cli:sweep", "Run many sessions under many sets of limits."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when one of them is called.

    Args (of the constructor):
        homes: name to (room and function, what it does), in the order of an operator's day.
    """

    def __init__(self, *args: Any, homes: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of an operator's day."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in self._homes:
            return None
        command = named(self._homes[cmd_name][0])
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._homes.items()])


@click.group(
    cls=LazyGroup, homes=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="peaktrade", message="%(prog)s %(version)s")
def cli() -> None:
    """Operator's suite for crypto shadow and testnet trading. It never sends a live order."""


@click.group(cls=LazyGroup, homes=RISK)
def risk() -> None:
    """Show limits and what is used of them, halt and resume trading, replay a session under other limits."""


class ListFirst(LazyGroup):
    """A group whose name alone is its command ``list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before options that no command stands before."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ListFirst, homes=STRATEGIES)
def strategies() -> None:
    """List the strategies (also without a command), show one, promote one."""


@click.group(cls=LazyGroup, homes=SESSION)
def session() -> None:
    """Run sessions, list them, show one, report on them, compare them."""


def _unexpected(error: Exception) -> str:
    """Return what to say of an error that nobody foresaw: one line, or all of it where ``PEAKTRADE_TRACEBACK`` is set."""
    import traceback

    if os.environ.get("PEAKTRADE_TRACEBACK"):
        return traceback.format_exc().rstrip()
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"error: {type(error).__name__}: {error} (in {last.name}, {last.filename}:{last.lineno}). This is a bug in peaktrade: "
        "report it with the command; PEAKTRADE_TRACEBACK=1 shows the whole trace"
    )


def as_text(argument: str) -> str:
    """Return an argument as text that can be written down, whatever the terminal sent and whatever locale is set.

    An argument that names a file stays as it is.
    """
    if argument.isascii() or os.path.lexists(argument.rpartition("=")[2]):
        return argument
    try:
        return os.fsencode(argument).decode()  # UTF-8, also where the locale says something else
    except UnicodeError:
        return decoded(argument)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    alone = args is None
    if args is None:
        args = sys.argv[1:] = [as_text(argument) for argument in sys.argv[1:]]
    speak_plainly()
    if alone:
        warnings.showwarning = _warned  # type: ignore[assignment]  # Python calls it by position
    try:
        code = cli.main(args, prog_name="peaktrade", standalone_mode=False)
    except (ReaderGone, SystemExit):
        # The reader of our output went away (`| head`); click and rich answer that with an exit of their own, which
        # nothing else here uses. That is no failure.
        code = 0
        flush_streams(gone=True)
    except (click.Abort, KeyboardInterrupt):
        say("stopped", err=True)
        code = STOPPED
    except Exception as error:
        code = _told(error)
    flush_streams(last=alone)
    sys.exit(code if isinstance(code, int) else 0)


def _warned(message: Warning | str, *_: object) -> None:
    """Say a warning, of ours or of a library, as a sentence; where in the code it arose helps nobody at a terminal."""
    say(f"note: {' '.join(str(message).split())}", err=True)


def _told(error: Exception) -> int:
    """Say what went wrong in a sentence and return the exit code."""
    if isinstance(error, click.ClickException):
        from peaktrade_core.workspace.workspace import speak_here  # no command opened one

        speak_here()
        about = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "peaktrade"
        say(
            f"error: {' '.join(error.format_message().split()).rstrip('.')}; `{about} --help` says what it takes",
            err=True,
        )
        return error.exit_code
    if isinstance(error, (OSError, MemoryError)):  # whatever it was about, it is not our mistake
        error = machine_fault(error)
    if isinstance(error, PeaktradeError):
        say(f"error: {type(error).__name__}: {error}", err=True)
        return error.exit_code
    say(_unexpected(error), err=True)
    return 1
