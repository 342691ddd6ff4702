"""Runbooks in JupyterLab: parameters, the red button, a question answered without a mouse, links of the start page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import Watched
from jupyterlab_served import open_form, reach, served_lab
from playwright.sync_api import expect

from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.notebooks.lab import START, copy_of, fill_in
from peaktrade_core.workspace.workspace import Workspace
from tests.people.conftest import key_of as key_of
from tests.people.conftest import names as names

CELLS = (
    "from peaktrade_core import begin",
    "runbook = begin('safe_stop', operator='Ada')\nrunbook.ask('way', 'Which way?')",
    "print('went on with', runbook.round.record.step('way').answer.reason)",
)
ACTIVE = "[...document.querySelectorAll('.jp-Cell')].findIndex(cell => cell.classList.contains('jp-mod-active'))"


@pytest.fixture
def lab(home: Path) -> Iterator[str]:
    """Return the address of a notebook with a question."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, home / "question.ipynb")
    with served_lab(home / "question.ipynb", Workspace(home)) as address:
        yield address


def parameters_in(path: Path) -> str:
    """Return the parameters cell of a notebook, nothing while JupyterLab is writing it."""
    try:
        return str(nbformat.read(path, as_version=4).cells[1].source)
    except nbformat.reader.NotJSONError:
        return ""


@pytest.mark.browser
def test_a_question_is_answered_by_keyboard_alone(watched: Watched, lab: str, home: Path) -> None:
    page = watched.page
    reach(page, lab)
    for number in (1, 2):
        page.keyboard.press("Shift+Enter")
        expect(page.locator(".jp-InputPrompt").nth(number - 1)).to_have_text(f"[{number}]:")
    radios = page.get_by_role("radiogroup", name="Which way?").get_by_role("radio")
    expect(radios.first).to_be_focused(timeout=30_000)
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "d", "d", "x"):  # the letters delete and cut a cell elsewhere
        page.keyboard.press(key)
    expect(radios.nth(1)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("seen by Ada")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Notebook")).to_contain_text("Answered no by Ada")
    page.wait_for_function(f"{ACTIVE} === 2")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea")).to_contain_text(["went on with seen by Ada"])
    assert page.locator(".jp-Cell").count() == len(CELLS) + 1  # JupyterLab adds one at the end, and lost none
    (newest, *_) = EvidenceBook.of(Workspace(home)).ids()
    step = EvidenceBook.of(Workspace(home)).load(newest).step("way")
    assert step is not None
    assert step.answer is not None
    assert (step.answer.key, step.answer.reason) == ("no", "seen by Ada")


@pytest.fixture
def login(tmp_path: Path, key_of: Any) -> Callable[[str], Path]:
    """Return a function that makes somebody's login, with one key of its own, and returns its home."""

    def of(name: str) -> Path:
        ssh = tmp_path / f"login-{name}" / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        for key in (key_of(name).path, key_of(name).path.with_suffix(".pub")):
            shutil.copy(key, ssh / f"id_ed25519{key.suffix}")
        return ssh.parent

    return of


@pytest.mark.browser
def test_the_button_signs_and_the_runbook_goes_on_when_the_second_signature_is_there(
    watched: Watched, home: Path, names: Any, login: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JupyterLab runs under Ada's login, whose key the button takes; Ben signs in a terminal of his own."""
    names(Ada="owner", Ben="operator")
    monkeypatch.setenv("HOME", str(login("Ada")))
    workspace, page = Workspace(home), watched.page
    cells = (
        "from peaktrade_core import begin",
        "runbook = begin('live_start', operator='Ada', role='owner')\nrunbook.both()",
        "print('went on with', runbook.round.record.step('both_present').answer.agreed)",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, home / "question.ipynb")
    with served_lab(home / "question.ipynb", workspace) as address:
        reach(page, address)
        for _ in range(2):
            page.keyboard.press("Shift+Enter")
        radios = page.get_by_role("radiogroup").get_by_role("radio")
        expect(radios.first).to_be_focused(timeout=60_000)
        radios.first.check()
        page.get_by_role("button", name="Record the answer").click()
        expect(page.locator(".pt-waits")).to_contain_text(
            "waits for the signature of owner and another person", timeout=30_000
        )
        (asked,) = Approvals.of(workspace).all()
        button = page.get_by_role("button", name="Sign with the key of this login")
        button.click()
        expect(page.locator(".pt-form")).to_contain_text(f"Ada signed {asked.id}")
        expect(page.locator(".pt-waits")).to_contain_text("waits for the signature of another person")
        button.click()  # once more is no second person
        expect(page.locator(".pt-form")).to_contain_text("has signed")
        assert [one.by for one in Approvals.of(Workspace(home)).all()[0].signatures] == ["Ada"]
        own = {**os.environ, "HOME": str(login("Ben")), "PEAKTRADE_HOME": str(home)}
        subprocess.run([sys.executable, "-m", "peaktrade_core", "approve", asked.id], env=own, check=True)
        expect(page.locator(".jp-Notebook")).to_contain_text("Answered yes by Ada")
        went_on = f"went on with Ben (signed, {asked.id})"  # the next cell ran by itself
        expect(page.locator(".jp-OutputArea")).to_contain_text([went_on])


@pytest.mark.browser
def test_a_copy_has_a_red_button_a_form_and_runs_to_the_next_question(watched: Watched, home: Path) -> None:
    workspace, page = Workspace(home), watched.page
    path = copy_of("kill_switch", {}, workspace)
    with served_lab(path, workspace) as address:
        open_form(page, address)
        expect(page.locator(".pt-urgent")).to_be_visible()  # without a key
        button = page.locator("button.pt-red")
        page.get_by_label("Why, in a word or two").fill("strange fills")
        button.click()
        assert not KillSwitch.of(workspace).status().engaged  # one click is none
        button.click()
        expect(page.locator(".pt-urgent")).to_contain_text("NO_ORDERS for every session")
        assert KillSwitch.of(workspace).status().reason == "strange fills"
        page.get_by_label("action", exact=True).select_option("release")
        page.get_by_label("reason", exact=True).fill("mended")
        page.get_by_role("button", name="Run to the next question").click()
        expect(page.locator(".pt-choices input").first).to_be_focused(timeout=60_000)
        page.keyboard.press("Control+s")
        wait_until(page, lambda: 'reason: str = "mended"' in parameters_in(path))  # the form keeps its values there
        assert 'action: str = "release"' in parameters_in(path)
    assert [url for url in watched.requests if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.browser
def test_the_start_page_opens_a_runbook_filled_in(watched: Watched, home: Path) -> None:
    workspace, page = Workspace(home), watched.page
    waiting = EvidenceBook.of(workspace).begin("monitoring_round", "Monitoring round", operator="Ada")
    path = copy_of(START, {}, workspace)
    fill_in(path, workspace)
    with served_lab(path, workspace) as address:
        reach(page, address)
        row = page.locator("tr", has_text="Monitoring round, begun by Ada")  # without running a cell
        expect(row).to_contain_text("▲ due")
        with page.expect_popup() as opened:
            row.get_by_role("link").click()
        copy = opened.value
        expect(copy.get_by_role("button", name="| Idle")).to_be_visible(timeout=60_000)
        assert f"/tree/runbooks/{workspace.clock.now():%Y-%m-%d}_monitoring_round" in copy.url
        stored = home / "runbooks" / copy.url.rpartition("/")[2]
        assert f'resume: str = "{waiting.id}"' in nbformat.read(stored, as_version=4).cells[1].source
        refused = page.request.get(
            f"{address}peaktrade/open/monitoring_round", headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert refused.status == 403
        wrong = page.request.get(f"{address}peaktrade/open/monitoring_round?resum=1")
        assert (wrong.status, "unknown parameter" in wrong.text()) == (400, True)


@pytest.mark.browser
def test_a_saved_copy_is_gone_on_with_and_a_finished_one_is_left_as_it_is(watched: Watched, home: Path) -> None:
    """JupyterLab is closed after the first question and after the last; each time the copy is opened again."""
    workspace, page = Workspace(home), watched.page
    path = copy_of("pre_session_check", {}, workspace)
    execution, run = page.locator(".pt-execution"), page.locator(".pt-run button")
    operator, question = page.get_by_label("operator", exact=True), page.locator(".pt-form:has(.pt-choices)")
    with served_lab(path, workspace) as address:
        open_form(page, address)
        expect(execution).to_be_hidden()
        operator.fill("Ada")
        run.click()
        expect(question).to_have_count(1)
        expect(execution).to_contain_text("It goes on with what was answered")
        (begun,) = EvidenceBook.of(workspace).ids()
        wait_until(page, lambda: f'resume: str = "{begun}"' in parameters_in(path))  # saved by itself
    with served_lab(path, workspace) as address:
        open_form(page, address)
        expect(execution).to_contain_text(begun)
        expect(operator).to_have_value("Ada")
        expect(question).to_have_count(0)  # nothing of what was shown then
        expect(page.get_by_text("model not found")).to_have_count(0)
        run.click()
        for number in range(1, 9):
            expect(question.or_(execution.locator("a")).first).to_be_visible(timeout=60_000)
            if execution.locator("a").count():
                break
            question.locator("input[type=radio]").first.check()
            question.locator("input[type=text]").first.fill("known")
            question.get_by_role("button").click()
            expect(page.get_by_text("Answered yes by Ada")).to_have_count(number)
            page.get_by_role("button", name="Run to the next question").last.click()
        expect(execution).to_contain_text("is finished")
        expect(page.get_by_role("button", name="Run to the next question")).to_have_count(0)  # shown
        assert EvidenceBook.of(workspace).ids() == [begun]  # one execution
        wait_until(page, lambda: '"evidence_id"' in path.read_text())
    with served_lab(path, workspace) as address:
        open_form(page, address)
        expect(execution).to_contain_text("This copy stays as it is.")
        expect(operator).to_be_disabled()
        expect(page.get_by_text("Answered yes by Ada")).to_have_count(number - 1)
        expect(page.get_by_text("model not found")).to_have_count(0)
        with page.expect_popup() as opened:
            execution.get_by_role("link", name="Begin anew in a clean copy").click()
        expect(opened.value.get_by_label("operator", exact=True)).to_have_value("Ada")
        expect(opened.value.locator(".pt-execution")).to_be_hidden()


@pytest.mark.browser
def test_a_restarted_kernel_brings_the_form_back_and_asks_again(watched: Watched, home: Path) -> None:
    workspace, page = Workspace(home), watched.page
    question = page.locator(".pt-form:has(.pt-choices)")

    def restart(command: str) -> None:
        page.evaluate("command => void window.jupyterapp.commands.execute(command)", command)
        page.locator(".jp-Dialog button.jp-mod-warn").click()

    with served_lab(copy_of("pre_session_check", {}, workspace), workspace) as address:
        open_form(page, address)
        page.locator(".pt-run button").click()
        expect(question).to_have_count(1)
        begun = EvidenceBook.of(workspace).ids()
        restart("notebook:restart-kernel")
        expect(question).to_have_count(0)  # one of the kernel that is gone would hear no answer
        expect(page.locator(".pt-execution")).to_contain_text("It goes on with what was answered")
        restart("notebook:restart-run-all")
        expect(question).to_have_count(1)
        expect(page.get_by_role("button", name="| Idle")).to_be_visible(timeout=60_000)
        page.wait_for_timeout(2000)  # it stays
        question.locator("input[type=radio]").first.check()
        question.get_by_role("button").click()
        expect(page.get_by_text("Answered yes by")).to_have_count(1)
        assert EvidenceBook.of(workspace).ids() == begun
    assert len(begun) == 1


def wait_until(page: Any, true: Callable[[], bool]) -> None:
    """Wait until something is so, at most a minute."""
    for _ in range(600):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never was")


TABLE = (
    "from peaktrade_core import open_workspace",
    "open_workspace()\nfrom peaktrade_core.show.table import Table\n"
    "pnl = [f'{n % 7 - 3:+,d},000.50 EUR'.replace('-', '−') for n in range(14)]\n"
    "rows = [(f'run {n}', one, f'{n} m {n} s' if n else '–') for n, one in enumerate(pnl)]\n"
    "Table('Many', ('Run', 'PnL', 'Waits'), rows, numbers=(1, 2))",
)


@pytest.mark.browser
def test_a_long_table_sorts_and_filters(watched: Watched, home: Path) -> None:
    page = watched.page
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in TABLE])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, home / "table.ipynb")
    with served_lab(home / "table.ipynb", Workspace(home)) as address:
        reach(page, address)
        for _ in TABLE:
            page.keyboard.press("Shift+Enter")
        find = page.get_by_label("Filter the rows")
        expect(find).to_be_visible(timeout=60_000)
        column = page.locator(".pt-long tbody tr td:nth-child(2)")
        page.get_by_role("button", name="PnL").click()
        assert column.all_text_contents()[:2] == ["−3,000.50 EUR"] * 2
        page.get_by_role("button", name="PnL").press("Enter")
        assert column.first.text_content() == "+3,000.50 EUR"
        page.get_by_role("button", name="Waits").click()
        waits = page.locator(".pt-long tbody tr td:nth-child(3)").all_text_contents()
        assert (waits[0], waits[-2:]) == ("1 m 1 s", ["13 m 13 s", "–"])
        find.fill("run 1")
        find.press("d")  # a letter that JupyterLab would take for a command elsewhere
        expect(page.locator(".pt-long output")).to_have_text("0 / 14")
        find.fill("−3,000 run")
        expect(page.locator(".pt-long output")).to_have_text("2 / 14")
        expect(page.locator(".pt-long tbody tr:visible")).to_have_count(2)


FIGURE = """from datetime import datetime
from peaktrade_core.show.chart import Chart, Line

Chart(name="one", lines=[Line("one", [datetime(2026, 1, 5), datetime(2026, 1, 6)], [1.0, 2.0])])"""


@pytest.mark.browser
def test_a_figure_keeps_its_height_when_the_window_changes(watched: Watched, home: Path) -> None:
    page = watched.page
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FIGURE)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, home / "figure.ipynb")
    with served_lab(home / "figure.ipynb", Workspace(home)) as address:
        reach(page, address)
        page.keyboard.press("Shift+Enter")
        drawn = page.locator(".js-plotly-plot .main-svg").first
        expect(drawn).to_be_visible(timeout=60_000)
        before = drawn.bounding_box()
        page.set_viewport_size({"width": 1000, "height": 900})
        page.wait_for_function("document.querySelector('.main-svg').getBoundingClientRect().width < 900")
        after = drawn.bounding_box()
        assert before is not None
        assert after is not None
        assert (after["height"], before["height"]) == (320, 320)
