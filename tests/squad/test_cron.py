"""Planned times: what cronsim makes of a line, and what we make of cronsim."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from squad.cron import CronError, Timetable, check_line, find_zone

START = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
END = datetime(2028, 1, 1, tzinfo=UTC).timestamp()
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]
MOMENTS = st.floats(START, END)


def some(field: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    """A field of a cron line: any, one, a range, a step, a list."""
    ranges = st.tuples(field, field).map(lambda pair: f"{min(pair)}-{max(pair)}")
    lists = st.lists(field, min_size=1, max_size=3).map(lambda each: ",".join(map(str, each)))
    return st.one_of(st.just("*"), ranges, lists, st.integers(1, 20).map("*/{}".format))


LINES = st.tuples(
    some(st.integers(0, 59)),
    some(st.integers(0, 23)),
    some(st.integers(1, 28)),
    some(st.integers(1, 12)),
    some(st.integers(0, 6)),
).map(" ".join)


def times(line: str, zone: str, since: str, count: int = 3) -> list[str]:
    """The next planned times, as local times with their offset."""
    table, moment, found = Timetable(line, zone), datetime.fromisoformat(since).timestamp(), []
    for _ in range(count):
        planned = table.after(moment)
        assert planned is not None
        moment = planned
        found.append(datetime.fromtimestamp(moment, find_zone(zone)).isoformat())
    return found


class TestTimes:
    def test_a_weekly_line_in_a_time_zone(self) -> None:
        assert times("0 9 * * 1", "Europe/Berlin", "2026-03-20T00:00+00:00") == [
            "2026-03-23T09:00:00+01:00",
            "2026-03-30T09:00:00+02:00",  # summer time began the day before
            "2026-04-06T09:00:00+02:00",
        ]

    def test_with_six_fields_the_first_is_the_second(self) -> None:
        assert times("*/20 * * * * *", "UTC", "2026-01-01T00:00:30+00:00", 2) == [
            "2026-01-01T00:00:40+00:00",
            "2026-01-01T00:01:00+00:00",
        ]

    def test_the_present_is_no_future(self) -> None:
        assert times("* * * * *", "UTC", "2026-01-01T00:00:00+00:00", 1) == ["2026-01-01T00:01:00+00:00"]
        assert times("* * * * *", "UTC", "2026-01-01T00:00:00.001+00:00", 1) == ["2026-01-01T00:01:00+00:00"]

    def test_a_time_that_the_clocks_leave_out_comes_when_they_go_on(self) -> None:
        assert times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", 2) == [
            "2026-03-29T03:00:00+02:00",  # there is no 02:30 on that day
            "2026-03-30T02:30:00+02:00",
        ]

    def test_a_time_that_comes_twice_counts_once(self) -> None:
        expected = ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
        assert times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+00:00", 2) == expected
        # Asked between the two, and after both.
        assert times("30 2 * * *", "Europe/Berlin", "2026-10-25T02:31+02:00", 1) == expected[1:]
        assert times("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10+01:00", 1) == expected[1:]

    def test_what_comes_every_so_often_goes_on_through_both(self) -> None:
        assert times("*/30 * * * *", "Europe/Berlin", "2026-03-29T01:15+01:00") == [
            "2026-03-29T01:30:00+01:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-29T03:30:00+02:00",
        ]
        assert times("*/30 * * * *", "Europe/Berlin", "2026-10-25T02:15+02:00") == [
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T02:30:00+01:00",
        ]

    def test_a_line_with_seconds_is_taken_literally_by_the_clock(self) -> None:
        assert times("0 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", 1) == ["2026-03-30T02:30:00+02:00"]
        assert times("0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+00:00", 2) == [
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:30:00+01:00",
        ]

    @given(LINES, st.sampled_from(ZONES), MOMENTS)
    def test_the_next_time_is_later_and_the_same_for_all_moments_before_it(
        self, line: str, zone: str, moment: float
    ) -> None:
        table = Timetable(line, zone)
        planned = table.after(moment)
        assert planned is not None
        assert planned > moment
        assert planned == int(planned)
        assert table.after((moment + planned) / 2) == planned
        assert table.after(planned - 1) == planned


class TestLatest:
    @given(LINES, st.sampled_from(ZONES), MOMENTS, st.integers(0, 40))
    def test_it_is_the_last_of_all(self, line: str, zone: str, since: float, count: int) -> None:
        table = Timetable(line, zone)
        planned = [since]
        for _ in range(count + 1):
            upcoming = table.after(planned[-1])
            assert upcoming is not None
            planned.append(upcoming)
        until = (planned[count] + planned[count + 1]) / 2
        assert table.latest(since, until) == (planned[count] if count else None)
        assert table.count(since, until, 1000) == count
        assert table.count(since, until, 5) == min(count, 5)

    def test_a_century_of_seconds_is_no_work(self) -> None:
        assert Timetable("* * * * * *", "Europe/Berlin").latest(0.0, 3e9) == 3e9

    @pytest.mark.parametrize(("since", "until"), [(100.0, 100.0), (100.0, 50.0), (60.5, 119.9)])
    def test_nothing_in_between(self, since: float, until: float) -> None:
        assert Timetable("* * * * *").latest(since, until) is None


class TestBadLines:
    @pytest.mark.parametrize(
        ("line", "what", "hint"),
        [
            ("0 25 * * *", "is no cron line: '25' is no hour", "write five fields"),
            ("60 0 * * *", "is no cron line: '60' is no minute", "write five fields"),
            ("0 0 0 * *", "is no cron line: '0' is no day of month", ""),
            ("0 0 * 13 *", "is no cron line: '13' is no month", ""),
            ("0 0 * * 8", "is no cron line: '8' is no day of week", ""),
            ("61 0 0 * * *", "is no cron line: '61' is no second", ""),
            ("*/0 * * * *", "is no cron line: '*/0' is no minute", ""),
            ("5-1 * * * *", "is no cron line: '5-1' is no minute", ""),
            ("9" * 100 + " * * * *", "is no cron line: '" + "9" * 57 + "...' is no minute", ""),
            ("9" * 5000 + " * * * *", "is no cron line: it has 5 fields", ""),
            ("* * * *", "is no cron line: it has 4 fields", ""),
            ("midnight", "is no cron line: it has a single field", ""),
            ("", "is no cron line: it has 0 fields", ""),
            ("@daily", "is '@daily', and there are no short forms here", 'write "0 0 * * *"'),
            ("@reboot", "is '@reboot', and there are no short forms here", "write five fields"),
            ("0 0 31 2 *", "never comes: no month that it names has such a day", "correct the day"),
            ("0 0 30 2 *", "never comes: no month that it names has such a day", ""),
            ("0 0 31 4,6,9,11 *", "never comes: no month that it names has such a day", ""),
            ("0 0 */31 * TUE#5", "never comes: no month that it names has such a day", ""),
        ],
    )
    def test_what_is_wrong_is_said(self, line: str, what: str, hint: str) -> None:
        with pytest.raises(CronError) as caught:
            check_line(line)
        assert str(caught.value) == what
        assert caught.value.hint.startswith(hint)

    @pytest.mark.parametrize(
        "line",
        ["0 0 29 2 *", "0 0 31 2 MON", "0 0 L * *", "0 0 LW * *", "0 0 * 2 MON#5", "0 9 * JAN-MAR mon", "5/7 * * * *"],
    )
    def test_lines_that_come_if_seldom(self, line: str) -> None:
        assert Timetable(line).after(START) is not None

    @given(
        st.text(max_size=40) | st.lists(st.text("0123456789*/,-#LW²", max_size=5), min_size=5, max_size=6).map(" ".join)
    )
    @example("0 0 ²L * *")
    @example("0 0 * * ²L")
    def test_whatever_is_written_is_a_line_or_an_error(self, line: str) -> None:
        try:
            table = Timetable(line)
        except CronError as error:
            assert error.hint
        else:
            assert table.after(START) is not None


class TestZones:
    @pytest.mark.parametrize(
        ("zone", "hint"),
        [
            ("Europe/Berlim", "did you mean 'Europe/Berlin'?"),
            ("europe/berlin", "did you mean 'Europe/Berlin'?"),
            ("Berlin", "did you mean 'Europe/Berlin'?"),
            ("new york", "did you mean 'America/New_York'?"),
            ("Mars/Phobos", "write for example UTC or Europe/Berlin"),
            ("", "write for example UTC or Europe/Berlin"),
            ("../../etc/passwd", "write for example UTC or Europe/Berlin"),
            ("/etc/passwd", "write for example UTC or Europe/Berlin"),
            ("Europe", "did you mean 'Europe/Rome'?"),
            ("a\0b", "write for example UTC or Europe/Berlin"),
        ],
    )
    def test_unknown_ones(self, zone: str, hint: str) -> None:
        with pytest.raises(CronError, match="which is no known time zone") as caught:
            Timetable("* * * * *", zone)
        assert caught.value.hint == hint
