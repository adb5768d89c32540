"""Image files in Parquet cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.containers.parquet import image_column, open_image_table

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("label", pa.int64()), ("photo", STRUCT)], "photo.bytes"),
        ([("mask", pa.binary()), ("image", pa.large_binary())], "image"),
        ([("jpg", pa.binary()), ("img", pa.binary())], "img"),
        ([("vector", pa.binary())], None),
        ([("image", pa.string())], None),
        ([("image", pa.struct([("path", pa.string())]))], None),
    ],
)
def test_the_column_is_found_by_type_and_name(fields: list[Any], expected: str | None) -> None:
    assert image_column(pa.schema(fields)) == expected


@pytest.mark.parametrize("is_struct", [True, False])
def test_rows_are_read_across_row_groups_in_any_order(tmp_path: Path, is_struct: bool) -> None:
    cells = [b"%d" % i for i in range(25)]
    column = pa.array([{"bytes": c, "path": None} for c in cells], STRUCT) if is_struct else pa.array(cells)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": column}), path, row_group_size=4)
    table = open_image_table(path)
    assert len(table) == 25
    for row in (24, 0, 3, 4, 12, 23, 1):
        assert table.image(row) == cells[row]
    with pytest.raises(ValueError, match="only 25 rows"):
        table.image(25)


def test_missing_cells_are_known_group_by_group(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    cells = [{"bytes": b"x", "path": None}] * 3 + [{"bytes": None, "path": "y"}, None, {"bytes": b"z"}]
    pq.write_table(pa.table({"image": pa.array(cells, STRUCT)}), path, row_group_size=3)
    table = open_image_table(path)
    assert table.missing(0) is None
    missing = table.missing(1)
    assert missing is not None
    assert missing.to_pylist() == [True, True, False]
    assert table.image(3) == table.image(4) == b""


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(ValueError, match="not a readable Parquet"):
        open_image_table(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"no column of image files.*\['x'\]"):
        open_image_table(tmp_path / "b.parquet")
