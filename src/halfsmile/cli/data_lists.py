"""``halfsmile data split``, ``merge``, ``export`` and ``import``: lists of faces and their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from halfsmile.cli.data_options import (
    Flag,
    OptionalShare,
    Reading,
    Renames,
    SourceNames,
    SplitName,
    TaxonomyName,
    named_path,
    renames,
    roles_table,
    say,
    say_people_known,
    say_without_split,
    share,
    taxonomy_named,
)
from halfsmile.cli.options import DataPath
from halfsmile.utils.console import make_console

if TYPE_CHECKING:
    from halfsmile.data.exchange.formats import ExportedFaces
    from halfsmile.data.manifest import Manifest


@dataclass(frozen=True)
class Split(Reading):
    """Draw which labels may be used (a label budget), or with --test, --folds a test split or folds.

    With --test the result is a list (a manifest) of all rows with their splits, to train with as with any
    data set; with --folds a folder of such lists, one for each fold, a part that is tested in turn while the
    others train; otherwise the file of a label budget.

    Args:
        path: The labeled data set; a budget is of its training part if it has splits.
        out: The file to write (.parquet); with --folds a folder.
        test: Draw a test split: a share of each class (20%).
        valid: With --test, draw a validation split, too: a share of each class (10%).
        folds: Draw so many folds for cross-validation.
        again: Draw anew where the data have such a split already.
        labels: Of the budget: a share of each class (10%), a number per class (40), a number for every
            class (fear=10,anger=15,…), all, or a published size (ada-cm-100 … ada-cm-4000).
        seed: Seed of the draw.
        held_out: Share of each class's other rows that is kept out of training, to watch.
        by: Give all faces of a person or a video one role.
    """

    path: DataPath
    out: Path
    test: OptionalShare = None
    valid: OptionalShare = None
    folds: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: none)")] = None
    again: Flag = False
    labels: Annotated[str | None, tyro.conf.arg(metavar="AMOUNT", help_behavior_hint="(default: 10%)")] = None
    seed: int = 0
    held_out: Annotated[
        float | None, tyro.conf.arg(metavar="SHARE", help_behavior_hint="(default: 0.05)")
    ] = None
    by: Annotated[
        Literal["person", "video"] | None,
        tyro.conf.arg(metavar="{person,video}", help_behavior_hint="(default: face by face)"),
    ] = None

    def run(self) -> None:
        """Draw, write and show how many of each class."""
        from halfsmile.data.exchange.output_files import BUDGET, require_output
        from halfsmile.data.split import ROLES, LabelBudget

        if self.test is not None or self.folds is not None:
            self._splits()
            return
        if self.valid is not None or self.again:
            raise ValueError("--valid and --again are for drawing a test split: give --test, too.")
        require_output(self.out, BUDGET)
        whole = self.read(self.path)
        manifest = whole.split("train") if "train" in whole.column("split") else whole
        budget = LabelBudget.draw(
            manifest,
            self.labels or "10%",
            seed=self.seed,
            held_out=0.05 if self.held_out is None else self.held_out,
            group=self.by,
        )
        budget.save(self.out)
        if manifest is not whole:
            say_without_split(whole)
        make_console().print(roles_table(manifest, budget.roles, ROLES))
        say(f"Written: {self.out}")

    def _splits(self) -> None:
        """Draw a test split or folds, write the lists and show how many of each class."""
        from halfsmile.data.exchange.output_files import LIST, require_output, require_output_folder
        from halfsmile.data.folds import draw_folds, draw_splits, of_fold, require_shares
        from halfsmile.data.manifest import SPLITS

        if self.labels is not None or self.held_out is not None:
            raise ValueError(
                "--labels and --held-out are for label budgets; leave them away with --test or --folds."
            )
        if self.folds is not None and (self.test is not None or self.valid is not None or self.again):
            raise ValueError("Folds are drawn without --test, --valid and --again.")
        files = [f"fold-{fold + 1}.parquet" for fold in range(self.folds or 0)]
        if self.folds is None:
            require_shares(share(self.test), share(self.valid))
            require_output(self.out, LIST)
        else:
            require_output_folder(self.out, files, LIST)
        manifest = self.read(self.path)
        if self.folds is None:
            drawn = draw_splits(
                manifest,
                test=share(self.test),
                valid=share(self.valid),
                seed=self.seed,
                by=self.by,
                again=self.again,
            )
            drawn.save(self.out)
            say_people_known(manifest, self.by)
            names = [name for name in SPLITS if name in drawn.column("split")]
            make_console().print(roles_table(drawn, drawn.column("split"), names))
            say(f"Written: {self.out}")
            return
        numbers = draw_folds(manifest, self.folds, seed=self.seed, by=self.by)
        say_people_known(manifest, self.by)
        if any(manifest.column("split")):
            say("The splits of the data count for nothing: folds are drawn of all labeled rows.")
        self.out.mkdir(parents=True, exist_ok=True)
        for fold, name in enumerate(files):
            of_fold(manifest, numbers, fold).save(self.out / name)
        roles = [f"fold {number + 1}" if number >= 0 else "none" for number in numbers.tolist()]
        names = [f"fold {number + 1}" for number in range(self.folds)]
        make_console().print(roles_table(manifest, roles, names))
        say(
            f"Written: {self.out}/fold-1.parquet … fold-{self.folds}.parquet, each with its fold as the "
            "test split"
        )


@dataclass(frozen=True)
class Merge(Reading):
    """Make one list (a manifest) of several data sets, on one taxonomy: the same names of classes.

    Args:
        sources: Data sets, each with a name in front if wanted: rafdb=/data/RAF-DB. People and videos get the
            name in front: 1 of one data set is another person than 1 of another.
        out: The list to write (.parquet).
        taxonomy: Classes of the result: rafdb, affectnet7, affectnet8, ferplus, affwild2, or the labels with
            commas between. Without it they are those of the first source, renamed.
        rename: What becomes of labels that are none of them: contempt=none drops them, happy=happiness
            renames; for one data set only: ferplus:contempt=none.
        split: Split of the labeled rows that have none, of all sources.
        same_people: People of one name are one person in all sources.
    """

    sources: SourceNames
    out: Path
    taxonomy: TaxonomyName = None
    rename: Renames = ()
    split: SplitName = None
    same_people: Flag = False

    def run(self) -> None:
        """Merge, write and show the notes."""
        from halfsmile.data.exchange.merge import MergeSource, classes_of, merge
        from halfsmile.data.exchange.output_files import LIST, require_output

        require_output(self.out, LIST)
        sources, used = [], set[str]()
        for text in self.sources:
            name, path = named_path(text)
            manifest = self.read(path)
            labels = manifest.taxonomy.labels if manifest.taxonomy else ()
            changes = {old: new for old, new in renames(self.rename, name).items() if old in labels}
            used |= changes.keys()
            sources.append(MergeSource(name, manifest, changes))
        if idle := [text for text in self.rename if text.partition("=")[0].rpartition(":")[2] not in used]:
            raise ValueError(
                f"{', '.join(idle)}: no source has such a label. Leave the rename away, or mend it."
            )
        taxonomy = taxonomy_named(self.taxonomy) or classes_of(sources)
        merged = merge(sources, taxonomy, same_people=self.same_people)
        if self.split is not None:
            merged = merged.with_split(self.split)
        merged.save(self.out)
        for note in merged.notes:
            say(note)
        say(f"{self.out}: {len(merged):,} rows")
        say_without_split(merged)


@dataclass(frozen=True)
class ExportFaces(Reading):
    """Write faces for other programs.

    Args:
        path: A data set, or a store (faces that `halfsmile data prepare` has cut out).
        out: A new folder; for csv, a new file (.csv).
        format: folders: one per label; csv: a table; coco: JSON in the manner of COCO; label-studio: tasks
            for labeling.
        taxonomy: For label-studio: the classes to choose from.
    """

    path: DataPath
    out: Path
    format: Literal["folders", "csv", "coco", "label-studio"]
    taxonomy: TaxonomyName = None

    def run(self) -> None:
        """Write and say what was written."""
        from halfsmile.data.exchange import formats as exchange
        from halfsmile.data.exchange import label_studio
        from halfsmile.data.exchange.output_files import TABLE, require_output

        if self.taxonomy is not None and self.format != "label-studio":
            raise ValueError("--taxonomy says what annotators choose from: it is for --format label-studio.")
        if self.format == "csv":
            require_output(self.out, TABLE)
        manifest = self.read(self.path)
        if self.format == "label-studio":
            found = label_studio.export_label_studio(
                manifest, self.out, taxonomy=taxonomy_named(self.taxonomy)
            )
        else:
            writers: dict[str, Callable[[Manifest, Path], ExportedFaces]] = {
                "folders": exchange.export_folders,
                "csv": exchange.export_csv,
                "coco": exchange.export_coco,
            }
            found = writers[self.format](manifest, self.out)
        say(f"{found.path}: {found.faces:,} faces")
        for _, reason in found.bad[:5]:
            say(f"  left out: {reason}")
        if len(found.bad) > 5:
            say(f"  … {len(found.bad):,} were left out")


@dataclass(frozen=True)
class Import(Reading):
    """Put labels from a table, from Label Studio or from CVAT into a list (a manifest) of the faces.

    Args:
        path: The data set that was labeled, or the store (faces that `halfsmile data prepare` has cut out).
        labels: A table (pictures, labels, perhaps votes_<label>), Label Studio's JSON, JSON-MIN or CSV, or
            CVAT's XML.
        out: The list to write (.parquet).
        taxonomy: Classes of the labels (a taxonomy): a known name, or the labels with commas between.
        rename: Labels that are called otherwise: happy=happiness; unsure=none ignores them.
        split: Split of the labeled rows that have none.
        field: Column or field of the labels, where several could be. Of a table also several with commas
            between, one for each person: their answers are votes.
    """

    path: DataPath
    labels: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LABELS")]
    out: Path
    taxonomy: TaxonomyName = None
    rename: Renames = ()
    split: SplitName = None
    field: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: found)")] = None

    def run(self) -> None:
        """Import, write and show the notes."""
        from halfsmile.data.exchange.import_labels import import_labels
        from halfsmile.data.exchange.output_files import LIST, require_output

        require_output(self.out, LIST)
        manifest = self.read(self.path)
        labeled = import_labels(
            manifest,
            self.labels,
            taxonomy=taxonomy_named(self.taxonomy),
            renames=renames(self.rename),
            split=self.split,
            field=self.field,
        )
        labeled.save(self.out)
        for note in labeled.notes[len(manifest.notes) :]:
            say(note)
        counts = ", ".join(f"{name} {count:,}" for name, count in labeled.counts().items())
        say(f"{self.out}: {len(labeled):,} rows; {counts}")
        say_without_split(labeled)
