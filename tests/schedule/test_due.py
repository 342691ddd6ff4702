"""What is due: catch-up, days told once whatever the clocks do, retries, and files that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jobs_of_a_test import kinds

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_log import RunLog, times_between, trigger
from peaktrade_core.schedule.periods import DAY, WEEK
from peaktrade_core.schedule.schedule import JOBS_FILE, Schedule

REPO = Path(__file__).resolve().parent.parent.parent
NIGHT = 'time_zone = "Europe/Berlin"\n[jobs.{job}]\ncron = "{cron}"\ncatch_up_days = {days}\n'


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def schedule(home: Path, now: str, cron: str = "15 6 * * *", days: int = 7, job: str = "quick") -> Schedule:
    path = home / JOBS_FILE
    path.write_text(NIGHT.format(job=job, cron=cron, days=days))
    return Schedule(home, path, kinds(home), FixedClock(at(now), timedelta(0)))


def labels(found: list[jb.Period]) -> list[str]:
    return [period.label for period in found]


def test_a_job_that_was_never_met_makes_nothing_up(home: Path) -> None:
    plan = schedule(home, "2026-01-10T12:00")
    assert plan.due("quick") == []
    plan.meet()
    assert plan.due("quick") == []


def test_three_missed_days_are_made_once_each(home: Path) -> None:
    schedule(home, "2026-01-05T12:00").meet()
    plan = schedule(home, "2026-01-08T12:00")
    assert labels(plan.due("quick")) == ["2026-01-05", "2026-01-06", "2026-01-07"]
    for period in plan.due("quick"):
        plan.work("quick", period, "schedule")
    assert (home / "did.txt").read_text().split() == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert plan.due("quick") == []
    assert plan.work("quick", jb.Period("2026-01-06", plan.now()), "schedule") is None


@pytest.mark.parametrize(
    ("days", "made"), [(0, ["2026-01-29"]), (1, ["2026-01-29"]), (3, ["2026-01-27", "2026-01-28", "2026-01-29"])]
)
def test_a_long_absence_is_made_up_for_so_many_days_only(home: Path, days: int, made: list[str]) -> None:
    schedule(home, "2026-01-05T12:00").meet()
    assert labels(schedule(home, "2026-01-30T12:00", days=days).due("quick")) == made


@pytest.mark.parametrize("night", ["2026-03-28", "2026-10-24"])  # the night after is the one in which clocks change
def test_each_day_once_when_the_clocks_change(home: Path, night: str) -> None:
    begin = at(f"{night}T12:00")
    schedule(home, begin.isoformat()[:16], "30 2 * * *").meet()
    plan = schedule(home, (begin + timedelta(days=2)).isoformat()[:16], "30 2 * * *")
    assert labels(plan.due("quick")) == [night, (begin + timedelta(days=1)).date().isoformat()]


@pytest.mark.parametrize("job", ["quick", "often"])
@pytest.mark.parametrize(
    ("zone", "cron", "since", "until", "local"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T12:00", ["02:30 +0200"]),
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", "2026-03-29T12:00", ["03:30 +0200"]),
        ("Europe/Berlin", "30 2,3 * * *", "2026-03-28T12:00", "2026-03-29T12:00", ["03:30 +0200"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00", "2026-11-01T12:00", ["01:30 -0400"]),
        ("America/Havana", "30 0 * * *", "2026-03-07T12:00", "2026-03-08T12:00", ["01:30 -0400"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T10:00", "2026-04-05T10:00", ["01:45 +1100"]),
        ("Europe/Berlin", "30 2 25 10 *", "2026-10-24T12:00", "2027-10-24T12:00", ["02:30 +0200"]),
    ],
)
def test_a_time_on_the_wall_is_due_once_in_the_nights_when_the_clocks_change(
    home: Path, job: str, zone: str, cron: str, since: str, until: str, local: list[str]
) -> None:
    cron_ = trigger(cron, ZoneInfo(zone))
    found = list(times_between(cron_, at(since), at(until)))
    assert [moment.astimezone(cron_.zone).strftime("%H:%M %z") for moment in found] == local
    schedule(home, since, cron, job=job)
    (home / JOBS_FILE).write_text(NIGHT.format(job=job, cron=cron, days=0).replace("Europe/Berlin", zone))
    Schedule(home, home / JOBS_FILE, kinds(home), FixedClock(at(since), timedelta(0))).meet()
    done = 0
    for minutes in range(0, 24 * 60 + 1, 10):  # the scheduler looks again and again through the night
        now = FixedClock(at(since) + timedelta(minutes=minutes), timedelta(0))
        plan = Schedule(home, home / JOBS_FILE, kinds(home), now)
        done += sum(plan.work(job, period, "schedule") is not None for period in plan.due(job))
    assert done == len(local) * (at(until) - at(since) < timedelta(days=2)) + (local == []) or "25 10" in cron


def test_times_rise_and_none_is_left_out_through_a_year_of_changes() -> None:
    for zone in ("Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "UTC"):
        cron = trigger("*/30 * * * *", ZoneInfo(zone))
        found = list(times_between(cron, at("2026-01-01T00:00"), at("2027-01-01T00:00")))
        assert found == [at("2026-01-01T00:00") + timedelta(minutes=30 * n) for n in range(1, 365 * 48 + 1)]


def went_wrong(home: Path, *moments: str, job: str, cron: str) -> list[int]:
    """Let a scheduler look at these moments of its clock, one after another, and return how much it did at each."""
    done = []
    for moment in moments:
        plan = schedule(home, moment, cron, days=0, job=job)
        plan.meet()
        done.append(sum(plan.work(job, period, "schedule") is not None for period in plan.due(job)))
    return done


def test_a_clock_that_was_years_ahead_starves_no_job(home: Path) -> None:
    looks = ("2040-01-01T12:00", "2040-01-02T12:00", "2026-01-05T12:00", "2026-01-06T12:00", "2026-01-06T12:01")
    assert went_wrong(home, *looks, job="often", cron="0 6 * * *") == [0, 1, 0, 1, 0]
    looks = tuple(f"2026-{month:02d}-{day:02d}T12:00" for month in (2, 3, 4) for day in (1, 2, 2))
    assert went_wrong(home, *looks, job="often", cron="0 6 * * *") == [1, 1, 0] * 3, "once a day, whatever is in 2040"
    (state,) = schedule(home, "2026-04-02T13:00", "0 6 * * *", days=0, job="often").states()
    assert state.last_at == at("2026-04-02T12:00"), "the run of 2040 is not the latest"
    assert not state.overdue


def test_a_day_that_was_reported_before_it_was_over_is_reported_again(home: Path) -> None:
    looks = ("2026-01-03T07:00", "2026-01-08T07:00", "2026-01-05T07:00", "2026-01-06T07:00", "2026-01-08T07:00")
    assert went_wrong(home, *looks, job="quick", cron="0 6 * * *") == [0, 1, 1, 1, 1]
    assert (home / "did.txt").read_text().split() == ["2026-01-07", "2026-01-04", "2026-01-05", "2026-01-07"]


@pytest.mark.parametrize(
    ("cron", "looks", "done"),
    [  # set back by an hour after the run: a daily one is not done again, one every ten minutes goes on
        ("0 6 * * *", ("2026-01-05T12:00", "2026-01-06T06:01", "2026-01-06T05:10", "2026-01-06T06:10"), [0, 1, 0, 0]),
        (
            "*/10 * * * *",
            (
                "2026-01-05T12:00",
                "2026-01-05T12:10",
                "2026-01-05T12:20",
                "2026-01-05T11:20",
                "2026-01-05T11:30",
                "2026-01-05T12:10",
            ),
            [0, 1, 1, 0, 1, 1],
        ),
    ],
)
def test_a_clock_that_is_set_back_neither_doubles_nor_starves(
    home: Path, cron: str, looks: tuple[str, ...], done: list[int]
) -> None:
    assert went_wrong(home, *looks, job="often", cron=cron) == done


def test_a_failure_ahead_of_time_is_tried_again_now(home: Path) -> None:
    schedule(home, "2026-01-05T12:00", job="full").meet()
    ahead = schedule(home, "2026-01-08T12:00", job="full", days=1)
    ahead.work("full", ahead.due("full")[-1], "schedule")
    assert labels(schedule(home, "2026-01-06T12:00", job="full").due("full")) == ["2026-01-05"]


def test_the_local_time_holds_before_and_after_the_change(home: Path) -> None:
    plan = schedule(home, "2026-03-27T12:00")
    times = [moment.astimezone(plan.zone).strftime("%H:%M %z") for _, moment in plan.coming(3)]
    assert times == ["06:15 +0100", "06:15 +0200", "06:15 +0200"]


def test_every_quarter_of_an_hour_goes_on_through_the_hour_that_comes_twice(home: Path) -> None:
    plan = schedule(home, "2026-10-25T00:00", "*/15 * * * *", job="often")
    gaps = {later - earlier for (_, earlier), (_, later) in zip(plan.coming(12), plan.coming(13)[1:], strict=True)}
    assert gaps == {timedelta(minutes=15)}


@pytest.mark.parametrize(
    ("kind", "due", "label"),
    [
        (DAY, "2026-01-01T05:15", "2025-12-31"),
        (WEEK, "2026-01-05T05:30", "2026-W01"),
        (WEEK, "2027-01-04T05:30", "2026-W53"),
        (WEEK, "2026-01-04T23:30", "2025-W52"),  # Monday in Berlin, but the UTC week is not over
        (jb.TIME, "2026-01-05T05:30", "2026-01-05T05:30+00:00"),
    ],
)
def test_what_a_run_stands_for(kind: str, due: str, label: str) -> None:
    assert jb.label_of(kind, at(due)) == label


@pytest.mark.parametrize(("job", "attempts"), [("full", 2), ("broken", 1)])
def test_only_a_fault_that_can_pass_is_tried_again(home: Path, job: str, attempts: int) -> None:
    schedule(home, "2026-01-05T12:00", job=job).meet()
    for minute in range(5):
        plan = schedule(home, f"2026-01-06T12:{10 + minute * 5}", job=job)
        for period in plan.due(job):
            plan.work(job, period, "schedule")
    assert (home / "did.txt").read_text().split() == ["tried"] * attempts
    state = plan.states()[0]
    assert (state.status, state.missing) == ("failed", ())
    assert "No space left" in state.last_message or "a bug" in state.last_message


def test_a_retry_waits_for_its_time(home: Path) -> None:
    schedule(home, "2026-01-05T12:00", job="full").meet()
    plan = schedule(home, "2026-01-06T12:00", job="full")
    plan.work("full", plan.due("full")[0], "schedule")
    assert plan.due("full") == []
    assert labels(schedule(home, "2026-01-06T12:02", job="full").due("full")) == ["2026-01-05"]


def test_a_damaged_run_log_loses_only_the_damaged_line(home: Path) -> None:
    schedule(home, "2026-01-05T12:00").meet()
    log = RunLog(home / "reports" / "schedule")
    with log.files()[0].open("ab") as file:
        file.write(b'{"event": "started", "job"\n\xff\xfe\n')
    plan = schedule(home, "2026-01-06T12:00")
    assert labels(plan.due("quick")) == ["2026-01-05"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[jobs.shell]\ncron = '* * * * *'", "unknown job 'shell'"),
        ("[jobs.quick]\ncron = '99 * * * *'", "jobs.quick: cron = '99 * * * *'"),
        ("[jobs.quick]\ncron = '0 6 * *'", "has 4 fields"),
        ("[jobs.quick]\ncron = '0 6 * * 1'", "write their names"),
        ("[jobs.quick]\ncron = '0 6 30 2 *'", "is never due"),
        ("[jobs.quick]\ncron = '0 6 * * *'\ncommand = 'rm'", "jobs.quick has no 'command'; it has: cron, enabled"),
        (
            "[jobs.quick]\ncron = '0 6 * * *'\ntimeout_s = 'long'",
            "jobs.quick.timeout_s = 'long' must be a number from 1 to 86,400",
        ),
        ("[jobs.quick]\ncron = '0 6 * * *'\ntimeout_s = nan", "jobs.quick.timeout_s = nan must be a number from 1"),
        (
            "[jobs.quick]\ncron = '0 6 * * *'\nretries = -1",
            "jobs.quick.retries = -1 must be a whole number from 0 to 20",
        ),
        ("[jobs.quick]\nenabled = true", "jobs.quick has no 'cron', which must be there"),
        ("time_zone = 'Mars/Olympus'", "time_zone must be a name"),
        ("time_zone = '../../etc/passwd'", "time_zone must be a name"),
        ("jobs = 3", "jobs = 3 must be a table"),
        ("[jobs", "jobs.toml: "),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(home: Path, text: str, said: str) -> None:
    path = home / JOBS_FILE
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        Schedule(home, path, kinds(home), FixedClock(at("2026-01-05T12:00")))
    assert said in str(refused.value)
    assert "jobs.toml" in str(refused.value)


def test_the_shipped_jobs_are_all_the_jobs_there_are(workspace: object) -> None:
    from peaktrade_core.schedule.job_kinds import job_kinds, open_schedule

    assert set(open_schedule(workspace).jobs) == set(job_kinds(workspace))  # type: ignore[arg-type]
    assert (REPO / JOBS_FILE).is_file()
