"""German whole: everything that is said has its German, and a German workspace shows no English."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.control.status import status_lines, whole
from peaktrade_core.dashboard.panels.base import PANELS, Page
from peaktrade_core.runbooks.form import ParametersForm
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.runs.columns import remarks
from peaktrade_core.runs.views import Views
from peaktrade_core.show import german as german_of
from peaktrade_core.show.language import (
    Tongue,
    language,
    speak,
    spoken,
    spoken_markup,
    spoken_paragraphs,
    tongue,
    words,
)
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.cli.surface import Place, ran, used_workspace
from tests.cli.test_every_surface import ASKED
from tests.conftest import Ended
from tests.language.english import english_in, english_in_page
from tests.language.gather import gathered, renewed

HOLE = re.compile(r"\{(\w*)\}")
MARKED = re.compile(r"![sd]\}")  # a name, a count in the dative
SMALL = Tongue(
    {
        "no order was filled": "keine Order wurde ausgeführt",
        "{0} orders denied": "{0} Orders abgelehnt",
        "{0} failed: {1}": "{0} schlug fehl: {1}",
        "{0} of {1}": "{0} von {1}",
        "{0} of {1} bars": "{0} von {1} Bars",
        "failed": "fehlgeschlagen",
        "Look first.": "Erst nachsehen.",
    }
)


@pytest.mark.parametrize(
    ("said", "german"),
    [
        ("no order was filled", "keine Order wurde ausgeführt"),
        ("No order was filled.", "Keine Order wurde ausgeführt."),
        ("↳ no order was filled, 12 orders denied", "↳ keine Order wurde ausgeführt, 12 Orders abgelehnt"),
        ("3 of 7 bars", "3 von 7 Bars"),  # of two sentences that fit, the one that says more
        ("shadow_1 failed: no order was filled", "shadow_1 schlug fehl: keine Order wurde ausgeführt"),
        ("Look first. Whatever a person typed.", "Erst nachsehen. Whatever a person typed."),
        ("Whatever else, no order was filled", "Whatever else, no order was filled"),  # no half sentences
        ("Look first.\n\nLook first.", "Erst nachsehen.\n\nErst nachsehen."),
        ("MAX_ORDER_NOTIONAL", "MAX_ORDER_NOTIONAL"),
        ("1,234.56 EUR", "1,234.56 EUR"),
        ("", ""),
    ],
)
def test_what_was_put_together_is_turned_as_it_was(said: str, german: str) -> None:
    assert SMALL.turned(said) == german


def test_everything_that_is_said_has_its_german() -> None:
    """And nothing else: `make words` gathers the texts anew."""
    known = {str(one.id): str(one.string) for one in renewed() if one.id}
    assert set(known) == set(gathered())
    missing = [text for text, german in known.items() if not german]
    assert not missing, f"{len(missing)} texts without German, such as {missing[:20]}"


def test_german_has_the_holes_of_the_english() -> None:
    german = tongue("de")
    assert german is not None
    wrong = {
        text: there
        for text, there in german.entries.items()
        if not set(HOLE.findall(MARKED.sub("}", there))) <= set(HOLE.findall(text))
    }
    assert not wrong


def test_commands_and_codes_in_german_are_those_of_the_english() -> None:
    german = tongue("de")
    assert german is not None
    quoted = re.compile(r"`([^`]+)`")
    wrong = {
        text: there
        for text, there in german.entries.items()
        if sorted(quoted.findall(text)) != sorted(quoted.findall(MARKED.sub("}", there)))
    }
    assert not wrong


@pytest.mark.parametrize(
    "text", ["failed: ", "1 of ", "a: b, c and d; e. f by g: h ", "no ", "`'", "x is y; ", "failed "]
)
@pytest.mark.parametrize("times", [3, 40, 149, 150, 1000, 100_000])
def test_a_text_that_repeats_itself_breaks_nothing(text: str, times: int) -> None:
    """A note or a venue's answer may be anything."""
    for tongue_ in (SMALL, tongue("de")):
        assert tongue_ is not None
        assert tongue_.turned(text * times)
        assert tongue_.turned(f"Look first.\n{text * times}").count("\n") == 1


def test_what_is_counted_stands_in_the_dative_where_the_catalogue_says_so() -> None:
    """Behind *von*, *mit*, *nach* and their like."""
    small = Tongue(
        {"{0} with {1}": "{0} mit {1!d}", "{0} entry": "{0} Eintrag", "{0} entries": "{0} Einträge", "ledger": "Ledger"}
    )
    assert small.turned("ledger with 3 entries") == "Ledger mit 3 Einträgen"
    assert small.turned("ledger with 1 entry") == "Ledger mit 1 Eintrag"
    assert small.turned("a book with 3 true entries") == "a book with 3 true entries"  # what is not known is not bent


@pytest.mark.parametrize(
    ("counted", "dative"),
    [
        ("2 neue Fehler von a", "2 neuen Fehlern von a"),
        ("1,200 Orders", "1,200 Orders"),
        ("0 Forward-Signale", "0 Forward-Signalen"),
        ("1 Bar", "1 Bar"),
        ("2 je Minute", "2 je Minute"),
        ("Läufe", "Läufe"),
    ],
)
def test_german_bends_what_is_counted(counted: str, dative: str) -> None:
    assert german_of.dative(counted) == dative


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(Exception, match="language"):
        speak("fr")
    assert language() == "en"


def test_a_table_is_turned_where_it_is_shown_and_stays_english_itself() -> None:
    table = Table("Evidence", ("Question", "Answer"), [("Is the session completed?", Cell("✓ pass", "good"))])
    english = table._repr_html_()
    speak("de")
    german = table._repr_html_()
    assert "Frage" in german
    assert "✓ pass" not in german
    assert table.title == "Evidence"
    speak("en")
    assert table._repr_html_() == english


def test_marks_of_a_document_stay_where_they_are() -> None:
    speak("de")
    assert (
        spoken_markup('<h2 class="x">What it rests on</h2>\n') == f'<h2 class="x">{spoken("What it rests on")}</h2>\n'
    )
    assert spoken_markup("<p>{{ ") == "<p>{{ "
    assert spoken_paragraphs("1\n\n2") == "1\n\n2"


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = used_workspace(tmp_path_factory.mktemp("german") / "home")
    config = place.home / "config" / "config.toml"
    config.write_text(config.read_text().replace('language = "en"', 'language = "de"'))
    return place


APART = {  # what people typed into the workspace of this test, and files for other programs
    "init", "data import", "service install",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in ASKED if name not in APART])
def test_a_command_speaks_german(name: str, german: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEAKTRADE_HOME", str(german.home))
    monkeypatch.chdir(german.home)
    monkeypatch.delenv("COLUMNS", raising=False)
    ended = ran([*name.split(), *(german.words.get(word, word) for word in ASKED[name])])
    found = english_in(ended.out + ended.err)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", sorted(PANELS))
def test_a_page_speaks_german(name: str, german: Place) -> None:
    there = Workspace(german.home)
    html = Page(lambda: there, "", "latest").panel(name)
    found = english_in_page(html)
    assert not found, "\n".join(found)


def test_the_words_of_pages_are_turned() -> None:
    assert words("de")["theme"] == "Zwischen hell und dunkel wechseln"
    assert words("de")["language"] == "de"


def test_records_stay_english(run_shadow: Callable[..., SessionRecord], workspace: Workspace, tmp_path: Path) -> None:
    speak("de")
    record = run_shadow(seed=1, steps=30)
    files = [path for path in (workspace.home / "live_runs").rglob("*") if path.is_file() and path.suffix == ".jsonl"]
    assert record.status == "completed"
    assert files
    assert not any(re.search("[äöüß]", path.read_text()) for path in files)


ELSEWHERE = {  # what asks a venue, serves pages, or does a drill
    "live_start", "testnet_run", "demo_walkthrough", "drill", "audit_round", "live_track_watch", "session_explorer", "watch_only",
}  # fmt: skip


def test_a_notebook_speaks_german(peaktrade: Callable[..., Ended], configure: Callable[[str, str], None]) -> None:
    """As it is printed: every report, and every runbook that needs nothing but the workspace and its past."""
    configure('language = "en"', 'language = "de"')
    peaktrade("demo", "--no-serve")
    peaktrade(
        "incident", "open", "--kind", "failed_session", "--severity", "medium", "--title", "Fragil", "--by", "Ada"
    )
    peaktrade("killswitch", "engage", "--reason", "Probe", "--by", "Ada")
    peaktrade("drill", "run", "gap", "--scripted", "bad", "--operator", "Ada")
    names = [one.name for one in list_runbooks() if one.kind != "research" and one.name not in ELSEWHERE]
    outcomes = json.loads(peaktrade("runbook", "run", *names, "--json", timeout=900.0).stdout)
    assert len(outcomes) == len(names)
    pages = {one["name"]: Path(one["html"]).read_text().replace("float division by zero", "") for one in outcomes}
    found = [f"{name}: {text}" for name, page in pages.items() for text in english_in_page(page)]  # Python's own stays
    assert not found, "\n".join(found)


def test_what_the_fields_of_a_form_mean_is_said_in_german(workspace: Workspace) -> None:
    speak("de")
    forms = [ParametersForm(one.name, workspace, {}) for one in list_runbooks() if one.parameters]
    said = {field["comment"] for form in forms for field in form.fields}
    assert len(said) > 100
    assert not [text for text in said if english_in(text)]


def test_the_heads_of_the_status_and_the_words_of_remarks_are_german(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    run_shadow(steps=200, position_fraction=0.2)
    speak("de")
    heads = [line.split()[0] for line in status_lines(whole(workspace))]
    assert heads == ["Status", "Warum", "Handel", "Risiko", "Alarme", "Läufe"]
    assert [line.partition(" shadow_")[0] for line in remarks(Views.of(workspace).runs())] == ["⊘ BLOCKIERT"]


@pytest.mark.parametrize(
    ("said", "german"),
    [
        ("1 record sealed", "1 Eintrag versiegelt"),
        ("3 records sealed, 1 not finished", "3 Einträge versiegelt, 1 nicht beendet"),
        ("1 impossible bar", "1 unmögliche Bar"),
        ("2 impossible bars", "2 unmögliche Bars"),
        ("open: buy 0.0096, notional 499.93 (o7)", "eröffnet: Kauf 0.0096, Nominalwert 499.93 (o7)"),
        ("incident INC-20261129-02 mitigated by Ada: held", "Vorfall INC-20261129-02 eingedämmt von Ada: held"),
        ("1 of 12 answers needs attention", "1 von 12 Antworten braucht Aufmerksamkeit"),
        ("12 fills", "12 Ausführungen"),
        ("2 of 3 records", "2 von 3 Einträgen"),
        ("1 of 1 record", "1 von 1 Eintrag"),
        ("odd fills", "odd fills"),  # what a person typed is no number of things
        ("failed: 1, completed: 2", "fehlgeschlagen: 1, abgeschlossen: 2"),
        ("  - L5 Monitoring and alerting: fix required", "  - L5 Überwachung und Alarme: zu beheben"),
        ("error: ArtefactError: It bled", "Fehler: ArtefactError: It bled"),
        ("known: alerts, drill, request", "bekannt: alerts, drill, request"),  # names stay as they are typed
        (
            "unknown request 'x'; known: none; `peaktrade requests list` lists them",
            "unbekannter Antrag 'x'; bekannt: keine; `peaktrade requests list` führt sie auf",
        ),
        (
            "error: No such option: '--x'; `peaktrade incident list --help` says what it takes",
            "Fehler: Keine solche Option: '--x'; `peaktrade incident list --help` sagt, was es nimmt",
        ),
    ],
)
def test_a_count_and_a_word_that_stand_alone_are_german(said: str, german: str) -> None:
    speak("de")
    assert spoken(said) == german
    speak("en")
