"""What a cell says that needs a value which an earlier one was stopped before making.

Whoever steps on after an error would read ``name 'plan' is not defined``, which sends them looking in the wrong place.
The cell still fails, but its output names the error that is to be mended.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.show.language import spoken

if TYPE_CHECKING:
    from peaktrade_core.runbooks.evidence import Evidence


class StoppedCells:
    """What the failed cells of a kernel would have made, and why they did not.

    Attributes:
        why: the error behind each name that is missing.
    """

    def __init__(self) -> None:
        self.why: dict[str, str] = {}

    def ran(self, result: Any) -> None:
        """Note how a cell ended: IPython's event ``post_run_cell``."""
        names = assigned(result.info.raw_cell or "")
        error = result.error_in_exec or result.error_before_exec
        if error is None:
            for name in names:
                self.why.pop(name, None)
        elif cause := self._cause(error):
            self.why |= dict.fromkeys(names, cause)

    def show(
        self, shell: Any, kind: type[Exception], error: NameError | PeaktradeError, trace: Any, tb_offset: object = None
    ) -> None:
        """Show an error IPython's way: ours, and a missing name behind which an earlier cell is, as a person reads them."""
        del tb_offset
        if said := self._said(error):
            error._render_traceback_ = lambda: [spoken(one) for one in said]  # type: ignore[method-assign, union-attr]
        shell.showtraceback((kind, error, trace), running_compiled_code=True)

    def _said(self, error: NameError | PeaktradeError) -> list[str]:
        """Return what is shown in the place of a traceback; nothing where that is a programmer's to read."""
        if isinstance(error, PeaktradeError):
            return error._render_traceback_()
        if cause := self.why.get(error.name or ""):
            said = f"Stopped above: this step needs `{error.name}`, and the step that makes it ended with"
            return [said, cause, "Mend that, run that cell again, and go on from there."]
        return []

    def _cause(self, error: BaseException) -> str:
        """Return what is to be mended; empty where the error says it itself, as a programmer's does."""
        if isinstance(error, PeaktradeError):
            return f"{type(error).__name__}: {error}"
        return self.why.get(error.name or "", "") if isinstance(error, NameError) else ""


def assigned(source: str) -> set[str]:
    """Return the names that a cell gives a value; none of one that is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


_COPIES: list[Callable[[Evidence], None]] = []  # the form of this kernel's notebook, which keeps what becomes of it


def keep_in_copy(keep: Callable[[Evidence], None]) -> None:
    """Have a notebook's form told of each execution that its cells begin or end."""
    _COPIES[:] = [keep]


def into_copy(record: Evidence) -> None:
    """Tell the form of this notebook, if a person has one, that an execution was begun or ended."""
    for keep in _COPIES:
        keep(record)


def person_is_there() -> bool:
    """Return whether this cell was run by a frontend that can ask a person; papermill and nbval cannot."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def watch_cells() -> None:
    """Have this kernel's cells say what stopped them, from now on; nothing outside a notebook."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        _watch(shell)


@cache
def _watch(shell: Any) -> None:
    """Watch the cells of a shell, once."""
    cells = StoppedCells()
    shell.events.register("post_run_cell", cells.ran)
    shell.set_custom_exc((NameError, PeaktradeError), cells.show)
