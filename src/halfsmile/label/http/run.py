"""``halfsmile label``: the application on a port, until Ctrl-C."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa
import uvicorn

from halfsmile.label.http.app import LIMITS, create_app
from halfsmile.label.session import Labeling
from halfsmile.serve.run import (
    KEY_VARIABLE,
    STOP_SECONDS,
    PatientProtocol,
    address_of,
    check_exposure,
    is_loopback,
    listen,
)
from halfsmile.utils.console import make_console
from halfsmile.utils.signals import sigterm_as_ctrl_c


def label(
    faces: Path,
    *,
    out: Path,
    classes: str | None = None,
    model: Path | None = None,
    labels: Sequence[Path] = (),
    rule: str | None = None,
    aligned: bool | None = None,
    detector: str = "auto",
    seed: int = 0,
    share: float,
    host: str = "127.0.0.1",
    port: int = 8000,
    opens: bool = True,
    api_key: str | None = None,
    unprotected: bool = False,
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Serve a session until Ctrl-C or SIGTERM; see :meth:`~halfsmile.label.session.Labeling.open`.

    Args:
        faces: What to label.
        out: Folder of the answers.
        classes: Names with commas between, or the name of a taxonomy.
        model: An exported model to start with.
        labels: Files of labels to start from.
        rule: What picks the faces.
        aligned: Take pictures as they are.
        detector: Finds the faces otherwise.
        seed: Of everything that is left to chance.
        share: Of the questions that is kept apart to measure.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        opens: Whether to open the page in a browser.
        api_key: Key that clients must send; None for the environment variable ``HALFSMILE_API_KEY``, or none.
        unprotected: Allow an address that others can reach without a key.
        allowed_hosts: Names under which the server may be reached, besides ``localhost`` and addresses.

    Raises:
        ValueError: If the faces, the folder or the address can't be used.
    """
    api_key = api_key or os.environ.get(KEY_VARIABLE) or None
    check_exposure(host, api_key=api_key, unprotected=unprotected)
    listener = listen(host, port)
    use_plain_memory()
    with sigterm_as_ctrl_c(), closing(listener):
        labeling = Labeling.open(
            faces,
            out=out,
            classes=classes,
            model=model,
            labels=labels,
            rule=rule,
            aligned=aligned,
            detector=detector,
            seed=seed,
            share=share,
        )
        console = make_console(stderr=True)
        try:
            app = create_app(labeling, api_key=api_key, allowed_hosts=allowed_hosts)
            if not is_loopback(host):
                console.print(
                    f"Warning: others on the network can reach {host}; traffic is not encrypted.",
                    style="bold yellow",
                )
            address = address_of(listener)
            console.print(f"halfsmile labels {faces} at {address} (Ctrl-C stops)", soft_wrap=True)
            console.print(f"Answers are kept in {out}; nothing is sent anywhere.", soft_wrap=True)
            if opens:
                webbrowser.open(address)
            config = uvicorn.Config(
                app,
                http=PatientProtocol,
                ws="none",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=int(max(1, LIMITS.idle_seconds)),
                timeout_graceful_shutdown=STOP_SECONDS,
            )
            with suppress(KeyboardInterrupt):  # uvicorn raises it again when all is done
                uvicorn.Server(config).run(sockets=[listener])
        finally:
            labeling.close()


def use_plain_memory() -> None:
    """Let Arrow take memory as everything else in this process does.

    Its own allocator holds on to some 25 MB that nothing lies in, and to a little more with each table of
    labels, which is written anew after each training.
    """
    pa.set_memory_pool(pa.system_memory_pool())
