"""``halfsmile serve``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.options import Model, ModelThreads, Prior, Threshold


@dataclass(frozen=True)
class Serve:
    """Serve a page for photos, videos and the webcam, and an HTTP interface; nothing is stored.

    A key for the interface is taken from the environment variable HALFSMILE_API_KEY.

    Args:
        model: Exported ONNX file or run folder.
        host: Address to listen on; others than loopback need a key or --unprotected.
        port: Port to listen on.
        detector: What finds the faces; auto is yunet.
        threshold: Confidence from which an answer counts as certain.
        prior: How often to expect each expression: uniform, natural, or a JSON file of shares by label.
        threads: Threads of the model.
        unprotected: Listen to other machines without a key.
        allowed_hosts: Further host names that the page may be reached by.
        access_log: Log requests, without file names.
    """

    extra: ClassVar[str] = "serve"

    model: Model = None
    host: str = "127.0.0.1"
    port: int = 8000
    detector: Literal["auto", "yunet", "mtcnn"] = "auto"
    threshold: Threshold = None
    prior: Prior = None
    threads: ModelThreads = None
    unprotected: bool = False
    allowed_hosts: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]", help_behavior_hint="(default: none)")
    ] = ()
    access_log: bool = False

    def run(self) -> None:
        """Listen until stopped."""
        from halfsmile.serve.run import serve

        serve(
            self.model,
            self.host,
            self.port,
            detector=self.detector,
            threshold=self.threshold,
            prior=self.prior,
            threads=self.threads,
            unprotected=self.unprotected,
            allowed_hosts=self.allowed_hosts,
            access_log=self.access_log,
        )
