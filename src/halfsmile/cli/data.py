"""``halfsmile data``: any face data in; checked, prepared, split, merged and handed on."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from halfsmile.cli.data_lists import ExportFaces, Import, Merge, Split
from halfsmile.cli.data_options import (
    Flag,
    Reading,
    SourceNames,
    require_rule_fits,
    say,
)
from halfsmile.cli.options import DataPath, OptionalFile, Store
from halfsmile.utils.console import make_console, silence_opencv


@dataclass(frozen=True)
class CheckData(Reading):
    """Say what a data set is, what is wrong with it, and how to mend that. Nothing is changed.

    The exit status is 0 if nothing is wrong, 1 if something is, and 2 if the data set can't be read.

    Args:
        path: A folder, table, archive, .rec or .parquet file, or a store (faces that `halfsmile data prepare`
            has cut out).
        html: Also write a page (.html) with faces of every class and of what is wrong.
        clean: Also write a list (a manifest, .parquet) without unreadable pictures and without copies: one
            that is in two splits stays in the test (or validation) split.
        fast: Do not open the pictures: no damaged ones, sizes and copies are looked for.
    """

    path: DataPath
    html: OptionalFile = None
    clean: OptionalFile = None
    fast: Flag = False

    def run(self) -> None:
        """Check, print, and end with the exit status."""
        from halfsmile.data.check.page import write_page
        from halfsmile.data.check.run import check, clean
        from halfsmile.data.exchange.output_files import LIST, PAGE, require_output

        console = make_console()
        silence_opencv()
        try:
            if self.clean is not None and self.fast:
                raise ValueError("--clean needs the pictures; leave --fast out.")
            if self.html is not None:
                require_output(self.html, PAGE, "--html")
            if self.clean is not None:
                require_output(self.clean, LIST, "--clean")
            require_rule_fits([self.path], self.layout, self.label_rule)
            found = check(self.path, layout=self.layout, pixels=not self.fast, **self.reader_options())
        except (ValueError, OSError) as error:
            make_console(stderr=True).print(f"error: {error}", style="red", soft_wrap=True)
            sys.exit(2)
        found.render(console)
        if self.html is not None:
            say(f"Page: {write_page(found, self.html)}")
        if self.clean is not None:
            manifest = clean(found)
            manifest.save(self.clean)
            say(f"{self.clean}: {len(manifest):,} of {len(found.manifest):,} rows")
        if not found.ok:
            sys.exit(1)


@dataclass(frozen=True)
class Prepare(Reading):
    """Find faces in photos, folders, archives, videos and data sets, and keep them in one folder: a store.

    Faces are aligned: turned and cut so that eyes and mouth lie where the model expects them. Stopped at any
    point, the same command goes on and ends with the same store. Labels, people, splits, boxes and landmarks
    of data sets are kept. What can't be read is listed and left out.

    Args:
        sources: Pictures, videos, folders, archives, patterns, data sets.
        out: The store: a new folder, or one to go on with.
        detector: What finds the faces: yunet, mtcnn, auto, which is yunet, or given: the boxes and landmarks
            of the data set.
        detector_model: Another ONNX file of YuNet, or its address.
        aligned: Every picture is one aligned face already; nothing is detected.
        crops: Every picture is a crop of one face: align it by its landmarks, or keep it as it is where none
            are found.
        size: Side of the faces in pixels; aligned pictures keep theirs unless this is given.
        min_score: Drop faces of which the detector is less sure, from 0 to 1.
        min_quality: Drop faces whose size, sharpness, frontality or exposure is lower, 0 to 1.
        largest_only: Keep only the largest face of each picture or frame.
        keep_every: Store the faces of every n-th frame of a video, whose neighbors are much alike.
        lossless: Store PNG instead of JPEG files.
        unlabeled: Take pictures and videos and no labels, whatever lies beside them.
        engine: Where faces are looked for: on this machine, or on a cluster that runs Ray.
        workers: Processes that look for faces.
        retry: Try sources again that were left out before.
    """

    sources: SourceNames
    out: Path
    detector: Literal["auto", "yunet", "mtcnn", "given"] = "auto"
    detector_model: Annotated[
        str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: that of the package)")
    ] = None
    aligned: Flag = False
    crops: Flag = False
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: 112)")] = None
    min_score: float = 0.0
    min_quality: float = 0.0
    largest_only: Flag = False
    keep_every: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: 3)")] = None
    lossless: Flag = False
    unlabeled: Flag = False
    engine: Literal["local", "ray"] = "local"
    workers: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: one for each processor)")
    ] = None
    retry: Flag = False

    def run(self) -> None:
        """Prepare and show what came of it."""
        from halfsmile.faces.prepare.pipeline import prepare
        from halfsmile.faces.prepare.settings import Settings

        if self.aligned and self.detector != "auto":
            raise ValueError(f"--aligned needs no detector, but {self.detector} was given.")
        layout = self.layout
        if self.unlabeled:
            if layout not in (None, "folder") or self.reader_options():
                raise ValueError("--unlabeled takes no labels: leave out what says how to read a data set.")
            layout = "folder"
        if self.aligned and self.crops:
            raise ValueError("Give --crops for crops that are to be aligned, or --aligned for aligned ones.")
        settings = Settings(
            detector="aligned" if self.aligned else self.detector,
            model=self.detector_model,
            size=self.size,
            min_score=self.min_score,
            min_quality=self.min_quality,
            largest_only=self.largest_only,
            every=3 if self.keep_every is None else self.keep_every,
            is_lossless=self.lossless,
            are_crops=self.crops,
        )
        require_rule_fits([Path(source) for source in self.sources], layout, self.label_rule)
        is_new = not self.out.exists()
        summary = prepare(
            self.sources,
            self.out,
            settings=settings,
            layout=layout,
            engine=self.engine,
            workers=self.workers,
            retry=self.retry,
            **self.reader_options(),
        )
        summary.render(make_console())
        if self.keep_every is not None and not summary.has_videos:
            say("--keep-every is for videos, and there was none among the sources.")
        if not summary.faces:
            if is_new:
                shutil.rmtree(self.out)
            raise ValueError(summary.nothing())


@dataclass(frozen=True)
class ShowStats(Reading):
    """Count faces per class, split and person; with --pixels, measure sizes and light too.

    Args:
        path: A data set, or a store (faces that `halfsmile data prepare` has cut out).
        pixels: Open every picture.
        json: Also write the numbers into this file (.json).
    """

    path: DataPath
    pixels: Flag = False
    json: OptionalFile = None

    def run(self) -> None:
        """Count and show."""
        from halfsmile.data.check.stats import describe
        from halfsmile.data.exchange.output_files import COUNTS, require_output
        from halfsmile.data.store.read import is_store, read, read_index
        from halfsmile.utils.files import write_json

        silence_opencv()
        if self.json is not None:
            require_output(self.json, COUNTS, "--json")
        manifest = self.read(self.path)
        index = read_index(self.path)[0] if is_store(self.path) else None
        if index is not None and index.num_rows != len(manifest):  # --label-names dropped some
            kept = {*manifest.column("image")}
            index = index.filter([image in kept for image in read(self.path).column("image")])
        found = describe(manifest, pixels=self.pixels, index=index)
        found.render(make_console())
        if self.json is not None:
            write_json(self.json, found.to_dict())


@dataclass(frozen=True)
class Verify:
    """Compare every byte of a store with its index. The exit status is 1 if something is wrong.

    Args:
        store: A folder that `halfsmile data prepare` made.
        pixels: Also decode every picture.
    """

    store: Store
    pixels: Flag = False

    def run(self) -> None:
        """Verify and show."""
        from halfsmile.data.store.verify import verify

        found = verify(self.store, pixels=self.pixels)
        for problem in found.problems:
            say(problem)
        for _, member, reason in found.bad[:20]:
            say(f"{member}: {reason}")
        if len(found.bad) > 20:
            say(f"… {len(found.bad):,} faces are damaged")
        if not found.ok:
            sys.exit(1)
        say(f"{found.faces:,} faces in {found.shards:,} shards are as the index says.")


@dataclass(frozen=True)
class Data:
    """Check, prepare, split, count, merge, export, import and verify data sets of faces."""


ACTIONS = {
    "check": CheckData,
    "prepare": Prepare,
    "split": Split,
    "stats": ShowStats,
    "merge": Merge,
    "export": ExportFaces,
    "import": Import,
    "verify": Verify,
}
"""What may follow ``halfsmile data``."""
