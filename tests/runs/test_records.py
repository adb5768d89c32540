"""The metrics file: every whole line is read, a cut last line is said, any other broken line is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halfsmile.runs.records import read_records

ONE, TWO, THREE = (json.dumps({"step": n, "epoch": n / 2, "seconds": 1.5 * n}) for n in (1, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (f"{ONE}\n{TWO}\n{THREE}\n", [1, 2, 3]),
        (f"{ONE}\n{TWO}\n{THREE}", [1, 2, 3]),
        (f"{ONE}\r\n{TWO}\r\n", [1, 2]),
        (f"{ONE}\n\n{TWO}\n  \n{THREE}\n\n", [1, 2, 3]),
        (f"{THREE}\n{ONE}\n{TWO}\n", [1, 2, 3]),
        ("", []),
        ("\n\n", []),
    ],
    ids=["whole", "no last line break", "other line breaks", "blank lines", "out of order", "empty", "blank"],
)
def test_every_whole_line_is_read_and_nothing_said(path: Path, text: str, steps: list[int]) -> None:
    path.write_bytes(text.encode())
    found = read_records(path)
    assert [line["step"] for line in found.lines] == steps
    assert found.note is None
    assert found.seconds == 1.5 * max(steps, default=0)
    assert found.epochs == max(steps, default=0) / 2


def test_no_file_has_no_records(path: Path) -> None:
    assert read_records(path).lines == ()
    assert read_records(path).note is None


@pytest.mark.parametrize("rest", [b'{"step": 3, "lo', b'{"step": 3', b"{", b"\0\0\0", b'{"step": 3, "\xc3'])
def test_a_last_line_cut_short_is_left_out_and_said(path: Path, rest: bytes) -> None:
    path.write_bytes(f"{ONE}\n{TWO}\n".encode() + rest)
    found = read_records(path)
    assert [line["step"] for line in found.lines] == [1, 2]
    assert found.note == f"{path}, line 3, the last one, was cut short and is left out."


@pytest.mark.parametrize("cut", range(1, len(THREE)))
def test_no_beginning_of_a_line_is_taken_for_a_record(path: Path, cut: int) -> None:
    path.write_text(f"{ONE}\n{THREE[:cut]}")
    assert len(read_records(path).lines) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"step": 2, "ep', "is not valid JSON"),
        (f'{{"step": 2, "lo{THREE}', "is not valid JSON"),
        ("\ufffd\0", "is not valid JSON"),
        ("[]", "is not an object with the numbers step, epoch, seconds"),
        ('{"step": 2, "seconds": 3.0}', "is not an object with the numbers step, epoch, seconds"),
        ('{"step": 2, "epoch": 1.0}', "is not an object with the numbers step, epoch, seconds"),
        ('{"step": null, "epoch": 1.0, "seconds": 3.0}', "is not an object with the numbers"),
    ],
    ids=["cut", "run together", "bytes", "no object", "no epoch", "no seconds", "null"],
)
@pytest.mark.parametrize("after", [f"{THREE}\n", ""], ids=["middle", "last"])
def test_any_other_broken_line_is_refused_with_its_number_and_what_to_do(
    path: Path, line: str, problem: str, after: str
) -> None:
    text = f"{ONE}\n\n{line}\n{after}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"remove this line") as caught:
        read_records(path)
    assert f"{path}, line 3 {problem}" in str(caught.value)
    assert path.read_text(encoding="utf-8") == text


def test_a_whole_last_line_that_is_no_record_was_not_cut(path: Path) -> None:
    path.write_text(f'{ONE}\n{{"step": 2}}')
    with pytest.raises(ValueError, match="line 2 is not an object"):
        read_records(path)
