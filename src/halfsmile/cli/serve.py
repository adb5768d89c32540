"""``halfsmile serve``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.options import Model, ModelThreads, PredictDevice, Prior, Threshold
from halfsmile.utils.console import silence_opencv


@dataclass(frozen=True)
class Serve:
    """Serve a page for photos, videos and the webcam, and an HTTP interface; nothing is stored.

    A key for the interface is taken from the environment variable HALFSMILE_API_KEY.

    Args:
        model: An exported model: the folder of a run after `halfsmile export`, or its ONNX file.
        host: Address to listen on; others than loopback need a key or --unprotected.
        port: Port to listen on.
        detector: What finds the faces: the network yunet or mtcnn; auto is yunet. aligned takes each picture
            as one face that was cut out before.
        threshold: Confidence from which an answer counts as certain.
        prior: How often to expect each expression: uniform (all alike), natural (as often as in everyday
            pictures), or a JSON file of shares by label.
        threads: Threads of the model, the detector and OpenCV.
        device: What computes the expressions; auto takes a GPU that onnxruntime can use.
        workers: Predictors that answer side by side, each with its share of the threads.
        unprotected: Listen to other machines without a key.
        allowed_hosts: Further host names that the page may be reached by.
        allowed_origins: Other web pages that may ask, by origin, as http://localhost:3000.
        root_path: Path below which a proxy offers the server, as /faces.
        limits: Other limits than the usual ones, as video_seconds=90min files=64; see docs/serve.md.
        access_log: Log requests, without file names.
    """

    extra: ClassVar[str] = "serve"

    model: Model = None
    host: str = "127.0.0.1"
    port: int = 8000
    detector: Literal["auto", "yunet", "mtcnn", "aligned"] = "auto"
    threshold: Threshold = None
    prior: Prior = None
    threads: ModelThreads = None
    device: PredictDevice = "auto"
    workers: Annotated[
        int | None,
        tyro.conf.arg(metavar="N", help_behavior_hint="(default: one for each processor)"),
    ] = None
    unprotected: bool = False
    allowed_hosts: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]", help_behavior_hint="(default: none)")
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="ORIGIN [ORIGIN ...]", help_behavior_hint="(default: none)")
    ] = ()
    root_path: Annotated[str, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: none)")] = ""
    limits: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME=NUMBER [...]", help_behavior_hint="(default: none)")
    ] = ()
    access_log: bool = False

    def run(self) -> None:
        """Listen until stopped."""
        from halfsmile.serve.limits import limits_of
        from halfsmile.serve.run import serve

        silence_opencv()
        serve(
            self.model,
            self.host,
            self.port,
            detector=self.detector,
            threshold=self.threshold,
            prior=self.prior,
            threads=self.threads,
            device=self.device,
            workers=self.workers,
            unprotected=self.unprotected,
            allowed_hosts=self.allowed_hosts,
            allowed_origins=self.allowed_origins,
            root_path=self.root_path,
            limits=limits_of(self.limits),
            access_log=self.access_log,
        )
