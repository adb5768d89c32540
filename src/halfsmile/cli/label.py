"""``halfsmile label``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.options import Model, Paths, require_paths
from halfsmile.utils.console import silence_opencv

Faces = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FACES")]
"""Faces that are cut out already, or what to cut them out of."""


@dataclass(frozen=True)
class Label:
    """Label faces on a page while a model learns and picks what to ask next.

    Every answer is in --out before the next face is shown; the same command goes on after a stop. What is
    there ends as labels.csv and is trained on by `halfsmile train … --data OUT`. A key for the interface is
    taken from the environment variable HALFSMILE_API_KEY.

    Args:
        faces: Folder, archive, video, data set, or store (faces that `halfsmile data prepare` has cut out).
        out: Folder of the answers.
        classes: Names with commas between, or ferplus, rafdb, affectnet7, affectnet8, affwild2, fer2013.
        model: An exported model: the folder of a run after `halfsmile export`, or its ONNX file. Its
            features, the numbers by which it describes a face, are what is learned on.
        labels: Files of labels to start from (tables, Label Studio, CVAT), or FACES itself for its own.
        rule: What picks the faces: diverse takes unsure ones that are unlike each other, rare those of
            classes with few labels first; margin and entropy the most unsure, badge unlike ones among all,
            core-set the farthest from all that was asked, random any.
        share: Share of the questions that is picked by chance and kept apart to measure.
        seed: Of everything that is left to chance.
        aligned: Take every picture as one face.
        detector: What finds the faces otherwise: the network yunet or mtcnn; auto is yunet.
        host: Address to listen on; others than loopback need a key or --unprotected.
        port: Port to listen on.
        no_browser: Only print the address.
        unprotected: Listen to other machines without a key.
        allowed_hosts: Further host names that the page may be reached by.
    """

    extra: ClassVar[str] = "serve"

    faces: Faces
    out: Path
    classes: Annotated[
        str | None, tyro.conf.arg(metavar="NAMES", help_behavior_hint="(default: the data's, or FERPlus's)")
    ] = None
    model: Model = None
    labels: Paths = ()
    rule: Annotated[
        Literal["diverse", "rare", "random", "margin", "entropy", "badge", "core-set"] | None,
        tyro.conf.arg(
            metavar="{diverse,rare,random,margin,entropy,badge,core-set}",
            help_behavior_hint="(default: diverse, or as before)",
        ),
    ] = None
    share: float = 0.15
    seed: int = 0
    aligned: bool = False
    detector: Literal["auto", "yunet", "mtcnn"] = "auto"
    host: str = "127.0.0.1"
    port: int = 8000
    no_browser: bool = False
    unprotected: bool = False
    allowed_hosts: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]", help_behavior_hint="(default: none)")
    ] = ()

    def run(self) -> None:
        """Listen until stopped."""
        require_paths(labels=self.labels)
        from halfsmile.label.http.run import label

        silence_opencv()
        label(
            self.faces,
            out=self.out,
            classes=self.classes,
            model=self.model,
            labels=self.labels,
            rule=self.rule,
            aligned=self.aligned or None,
            detector=self.detector,
            seed=self.seed,
            share=self.share,
            host=self.host,
            port=self.port,
            opens=not self.no_browser,
            unprotected=self.unprotected,
            allowed_hosts=self.allowed_hosts,
        )
