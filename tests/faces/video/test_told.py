"""What FFmpeg complains of, in words of ours."""

from __future__ import annotations

import errno

import av.error
import pytest

from halfsmile.faces.video.source import told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (av.error.InvalidDataError(1, "x"), "damaged"),
        (av.error.ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused"),
        (av.error.HTTPNotFoundError(1, "Server returned 404 Not Found"), "the server answered 404"),
        (av.error.ExitError(1, "Immediate exit requested"), "nothing came for 10 s"),
        (av.error.OSError(errno.EIO, "Input/output error"), "it breaks off there"),
        (av.error.ArgumentError(errno.EINVAL, "Invalid argument"), "is not valid"),
        (av.error.BugError(1, "Internal bug, should not have happened"), "FFmpeg can't go on"),
    ],
)
def test_no_word_of_its_own_is_left(error: av.error.FFmpegError, words: str) -> None:
    found = told(error)
    assert words in found
    assert str(error.strerror) not in found
