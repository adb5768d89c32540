"""As ``python -m MODULE ARGUMENTS``, but what runs ends together with the process that started it.

    python -m halfsmile.label.learn.attached MODULE ARGUMENTS


Its standard input is a pipe that the parent holds open and never writes to. Where that closes, whether the
parent ended in peace or was killed, the module is asked to stop as by Ctrl-C, so a training keeps its last
checkpoint; what does not stop in time is ended. It gives way to other programs, the page among them.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from contextlib import suppress

GRACE_SECONDS = 20.0
_NICE = 5


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Run the module."""
    with suppress(AttributeError, OSError):  # Windows has no such call
        os.nice(_NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
