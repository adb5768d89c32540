"""SIGTERM as Ctrl-C."""

from __future__ import annotations

import signal
import threading

import pytest

from halfsmile.utils.signals import sigterm_as_ctrl_c


def test_sigterm_raises_as_ctrl_c_does_and_only_within() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_other_threads_nothing_changes() -> None:
    before, found = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with sigterm_as_ctrl_c():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
