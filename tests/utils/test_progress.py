from __future__ import annotations

import io

import pytest
from rich.console import Console

from halfsmile.utils.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("halfsmile.utils.progress.time.monotonic", lambda: now[0])
    return now


def run(clock: list[float], *, seconds: float, terminal: bool = False, done: int = 0) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    with Progress("faces", total=10, done=done, console=console) as shown:
        for _ in range(10 - done):
            clock[0] += seconds
            shown.advance(1, note="7 images/s")
    return out.getvalue()


def test_short_work_shows_nothing(clock: list[float]) -> None:
    assert run(clock, seconds=0.1) == ""


def test_long_work_tells_rate_and_time_left_in_plain_lines(clock: list[float]) -> None:
    lines = run(clock, seconds=10.0).splitlines()
    assert lines[0] == "faces: 2/10  7 images/s  1.3 min left"
    assert lines[-1].startswith("faces: 10/10")
    assert len(lines) == 5


def test_a_resumed_run_says_so_and_counts_only_its_own_time(clock: list[float]) -> None:
    lines = run(clock, seconds=20.0, done=8).splitlines()
    assert lines[0] == "faces: resuming from 8 of 10"
    assert "0.3 min left" in lines[1]


def test_a_terminal_gets_a_bar(clock: list[float]) -> None:
    assert "7 images/s" in run(clock, seconds=3.0, terminal=True)


def left_of_a_film(clock: list[float], shares: list[float]) -> list[str]:
    out = io.StringIO()
    with Progress("processing", total=1, console=Console(file=out, width=120)) as shown:
        for share in shares:
            clock[0] += 60.0
            shown.advance(0, note="film.mp4", share=share)
    return out.getvalue().splitlines()


def test_the_share_of_a_film_tells_what_is_left(clock: list[float]) -> None:
    """Three equal minutes of a quarter each: three minutes left, then two, then one."""
    lines = left_of_a_film(clock, [0.25, 0.5, 0.75])
    assert [line.split("  ")[-1] for line in lines] == ["3.0 min left", "2.0 min left", "1.0 min left"]


def test_where_nothing_says_how_much_is_left_no_time_is_made_up(clock: list[float]) -> None:
    assert left_of_a_film(clock, [0.0, 0.0]) == ["processing: 0/1  film.mp4"] * 2
    assert "0.0 min left" in left_of_a_film(clock, [1.7])[0], "a film may be longer than it says"


def test_what_is_loaded_before_the_first_part_is_not_counted_for_the_others(clock: list[float]) -> None:
    out = io.StringIO()
    with Progress("faces", total=12, console=Console(file=out, width=120)) as shown:
        for seconds in (12.0, *[6.0] * 11):
            clock[0] += seconds
            shown.advance(1)
    assert out.getvalue().splitlines()[0].endswith("faces: 2/12    1.0 min left"), "ten parts of six seconds"
