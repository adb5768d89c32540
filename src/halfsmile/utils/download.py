"""Files by address: downloaded once, verified, kept in a cache folder."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write

_CHUNK = 1 << 20
_SECONDS = 60.0


def is_url(source: str) -> bool:
    """Whether a source is an http or https address."""
    return source.startswith(("http://", "https://"))


def default_cache() -> Path:
    """``halfsmile`` in ``$XDG_CACHE_HOME``, or in ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "halfsmile"


def download(url: str, *, cache: Path | None = None, console: Console | None = None) -> Path:
    """The local copy of a file, which is fetched if the cache has none.

    Args:
        url: ``http(s)://…``, with ``#sha256=<64 hexadecimal digits>`` appended to have the content verified.
        cache: Folder to keep it in; :func:`default_cache` if None.
        console: Where progress is shown; standard error by default.

    Returns:
        Path of the whole, verified file. Its name starts with that of the address.

    Raises:
        ValueError: If the address or the digest is malformed, the server refuses, the transfer breaks off, or
            the content has another digest. Nothing is kept then.
        OSError: If the cache can't be written.
    """
    address, fragment = urldefrag(url)
    if not is_url(address):
        raise ValueError(f"{url!r} is not an http:// or https:// address.")
    expected = _digest_asked_for(url, fragment)
    path = cached_path(address, cache=cache)
    if not path.exists():
        with atomic_write(path) as temporary:
            _require_digest(url, expected, _fetch(address, temporary, console or make_console(stderr=True)))
    elif expected is not None:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        _require_digest(f"{path} (remove it to download it again)", expected, found)
    return path


def cached_path(url: str, *, cache: Path | None = None) -> Path:
    """Where :func:`download` keeps the file of an address, whether it is there yet or not."""
    address = urldefrag(url).url
    name = re.sub(r"[^\w.-]", "_", Path(unquote(urlsplit(address).path)).name) or "download"
    key = hashlib.sha256(address.encode()).hexdigest()[:16]
    return (cache or default_cache()) / key / name


def _digest_asked_for(url: str, fragment: str) -> str | None:
    if not fragment:
        return None
    match = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if match is None:
        raise ValueError(
            f"The part after # in {url!r} must be sha256= and 64 hexadecimal digits, or be left out."
        )
    return match.group(1).lower()


def _require_digest(what: str, expected: str | None, found: str) -> None:
    if expected is not None and found != expected:
        raise ValueError(
            f"{what} has SHA-256 {found}, expected {expected}: it is damaged or is another file."
        )


def _fetch(address: str, target: Path, console: Console) -> str:
    """Write the content of an address into a file; returns its SHA-256."""
    request = urllib.request.Request(address, headers={"User-Agent": "halfsmile"})  # noqa: S310
    digest, done = hashlib.sha256(), 0
    try:
        with (
            urllib.request.urlopen(request, timeout=_SECONDS) as answer,  # noqa: S310
            target.open("wb") as file,
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=console,
                transient=True,
            ) as progress,
        ):
            length = answer.headers.get("Content-Length")
            total = int(length) if length is not None else None
            shown = progress.add_task(f"Downloading {address}", total=total)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                progress.update(shown, completed=done)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{address} answered {error.code} {error.reason}.") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise ValueError(
            f"{address} could not be downloaded: {error}. Download it and give the file."
        ) from error
    if total is not None and done != total:
        raise ValueError(f"{address} broke off after {done:,} of {total:,} bytes; try again.")
    return digest.hexdigest()
