"""How a running session shows itself on stderr: a bar in a terminal, a few lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from peaktrade_core.show.terminal import console, say
from peaktrade_core.show.wording import money

if TYPE_CHECKING:
    from peaktrade_core.session.session import Progress


@contextmanager
def show_progress(currency: str, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show a session's progress and equity [``currency``] on stderr: a bar in a terminal, a few lines elsewhere."""
    if quiet:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _plain_progress(currency)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[equity]}"),
    )
    with Bar(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("warm-up", total=None, equity="")

        def watch(now: Progress) -> None:
            bar.update(
                task,
                description=now.phase,
                completed=now.step,
                total=now.total,
                equity=f"equity {money(now.equity, currency)}",
            )

        yield watch


def _plain_progress(currency: str) -> Callable[[Progress], None]:
    """Return a watcher that prints when the warm-up is done and whenever another tenth of the steps is."""
    shown = [-1]

    def watch(now: Progress) -> None:
        tenth = 10 * now.step // now.total if now.total else 0
        if shown[0] < 0:
            say("warm-up complete", err=True)
        elif tenth > shown[0]:
            say(f"  {now.step} of {now.total} bars, equity {money(now.equity, currency)}", err=True)
        shown[0] = max(shown[0], tenth)

    return watch
