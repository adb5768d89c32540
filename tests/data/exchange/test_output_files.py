"""Nothing that was not written by the same command is replaced, and names end as the files are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.check.page import write_page
from halfsmile.data.check.run import check
from halfsmile.data.check.stats import describe
from halfsmile.data.exchange.formats import export_csv
from halfsmile.data.exchange.output_files import (
    BUDGET,
    COUNTS,
    LIST,
    PAGE,
    TABLE,
    OutputFile,
    require_output,
    require_output_folder,
)
from halfsmile.data.manifest import Manifest
from halfsmile.data.split import LabelBudget
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.utils.files import write_json

KINDS = [LIST, BUDGET, PAGE, COUNTS, TABLE]


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Path]:
    """One file of each kind, as halfsmile writes it."""
    write_folders(generate(16, size=32, seed=1, people=16), tmp_path / "set", split="train")
    found = check(tmp_path / "set", progress=False)
    names = {"list": "l.parquet", "budget": "b.parquet", "page": "p.html", "counts": "c.json"}
    paths = {name: tmp_path / file for name, file in {**names, "table": "t.csv"}.items()}
    found.manifest.save(paths["list"])
    LabelBudget.draw(found.manifest, "1", seed=0).save(paths["budget"])
    write_page(found, paths["page"])
    write_json(paths["counts"], describe(found.manifest).to_dict())
    export_csv(found.manifest, paths["table"])
    return paths


def test_only_the_own_kind_is_replaced(written: dict[str, Path]) -> None:
    for kind, own in ((LIST, "list"), (BUDGET, "budget"), (PAGE, "page"), (COUNTS, "counts")):
        require_output(written[own], kind)
        for name, path in written.items():
            if name != own:
                with pytest.raises(ValueError, match=r"is there already|is written as"):
                    require_output(path, kind)


def test_a_table_is_never_replaced(written: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"t\.csv is there already and may hold what somebody has typed"):
        require_output(written["table"], TABLE)


@pytest.mark.parametrize("kind", KINDS)
def test_what_somebody_else_wrote_stays(kind: OutputFile, tmp_path: Path) -> None:
    path = tmp_path / f"mine{kind.suffix}"
    require_output(path, kind)
    path.touch()
    require_output(path, kind)
    path.write_text("image,label\na.png,joy\n")
    with pytest.raises(ValueError, match=r"give another --clean, or remove it"):
        require_output(path, kind, "--clean")


def test_a_list_or_budget_that_was_edited_stays(written: dict[str, Path], tmp_path: Path) -> None:
    for name, kind in (("list", LIST), ("budget", BUDGET)):
        table = pq.read_table(written[name])
        pq.write_table(table.append_column("note", pa.nulls(len(table), pa.string())), written[name])
        with pytest.raises(ValueError, match="that halfsmile wrote"):
            require_output(written[name], kind)
    pq.write_table(pa.table({"image": ["a"], "role": ["labeled"]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="is no label budget"):
        require_output(tmp_path / "x.parquet", BUDGET)


def test_names_end_as_the_files_are(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"A list .* is written as \.parquet, .* give --out faces\.parquet\."
    ):
        require_output(Path("faces.csv"), LIST)
    with pytest.raises(ValueError, match=r"give --html page\.html\."):
        require_output(Path("page"), PAGE, "--html")
    require_output(Path("FACES.PARQUET"), LIST)
    with pytest.raises(ValueError, match="is a folder, and a table is a file"):
        require_output(tmp_path, TABLE)


def test_a_folder_of_lists(tmp_path: Path) -> None:
    files = ["fold-1.parquet", "fold-2.parquet"]
    with pytest.raises(ValueError, match=r"A folder is written, .* give --out folds\."):
        require_output_folder(Path("folds.parquet"), files, LIST)
    require_output_folder(tmp_path / "study-1.2", files, LIST)
    (tmp_path / "folds").mkdir()
    Manifest.from_rows([{"image": "a.png"}], tmp_path).save(tmp_path / "folds" / "fold-1.parquet")
    require_output_folder(tmp_path / "folds", files, LIST)
    (tmp_path / "folds" / "fold-2.parquet").write_text("mine")
    with pytest.raises(ValueError, match=r"fold-2\.parquet is there already"):
        require_output_folder(tmp_path / "folds", files, LIST)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file is a file, and a folder is to be written"):
        require_output_folder(tmp_path / "file", files, LIST)
