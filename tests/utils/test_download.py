from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from halfsmile.utils.download import default_cache, download

CONTENT = bytes(range(256)) * 10_000


@dataclass
class Site:
    """A local server: what it offers, how often it was asked, and whether it breaks off."""

    address: str
    files: dict[str, bytes] = field(default_factory=lambda: {"/weights.safetensors": CONTENT})
    requests: list[str] = field(default_factory=list)
    breaks_off: bool = False


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests.append(self.path)
            content = found.files.get(self.path.split("?")[0])
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if found.breaks_off else content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_once(site: Site, tmp_path: Path) -> None:
    url = f"{site.address}/weights.safetensors"
    first = download(url, cache=tmp_path)
    assert first.read_bytes() == CONTENT
    assert first.name == "weights.safetensors"
    assert download(url, cache=tmp_path) == first
    assert site.requests == ["/weights.safetensors"]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [first]


def test_addresses_do_not_share_a_file(site: Site, tmp_path: Path) -> None:
    site.files["/other/weights.safetensors"] = b"other"
    first = download(f"{site.address}/weights.safetensors", cache=tmp_path)
    second = download(f"{site.address}/other/weights.safetensors", cache=tmp_path)
    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, b"other")
    assert download(f"{site.address}/weights.safetensors?v=2", cache=tmp_path) != first


def test_digests_are_verified(site: Site, tmp_path: Path) -> None:
    url = f"{site.address}/weights.safetensors"
    right, wrong = hashlib.sha256(CONTENT).hexdigest(), "0" * 64
    with pytest.raises(ValueError, match=f"{right}, expected {wrong}"):
        download(f"{url}#sha256={wrong}", cache=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    path = download(f"{url}#sha256={right.upper()}", cache=tmp_path)
    assert path == download(url, cache=tmp_path)
    with pytest.raises(ValueError, match="remove it to download it again"):
        download(f"{url}#sha256={wrong}", cache=tmp_path)


@pytest.mark.parametrize("fragment", ["sha256=12", "md5=abc", "weights"])
def test_malformed_digests_are_refused_before_any_request(site: Site, tmp_path: Path, fragment: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        download(f"{site.address}/weights.safetensors#{fragment}", cache=tmp_path)
    assert site.requests == []


def test_refusals_and_broken_transfers_leave_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.pth answered 404"):
        download(f"{site.address}/missing.pth", cache=tmp_path)
    site.breaks_off = True
    with pytest.raises(ValueError, match=r"weights\.safetensors (broke off|could not be downloaded)"):
        download(f"{site.address}/weights.safetensors", cache=tmp_path)
    with pytest.raises(ValueError, match="could not be downloaded"):
        download("http://127.0.0.1:1/weights.pth", cache=tmp_path)
    with pytest.raises(ValueError, match="is not an http:// or https:// address"):
        download("ftp://example.org/weights.pth", cache=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_the_cache_folder_follows_the_desktop_standard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert default_cache() == tmp_path / "caches" / "halfsmile"
    path = download(f"{site.address}/weights.safetensors")
    assert path.is_relative_to(tmp_path / "caches" / "halfsmile")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "halfsmile"


def test_encoders_load_from_an_address(site: Site, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs halfsmile[train]")
    from safetensors.torch import save

    from halfsmile.models.pretrained import load_pretrained
    from halfsmile.models.vit import VisionTransformer
    from halfsmile.models.vit_config import VitConfig

    config = VitConfig(image_size=16, patch_size=8, width=16, depth=1, heads=2)
    encoder, other = VisionTransformer(config), VisionTransformer(config)
    content = save(encoder.state_dict())
    site.files["/weights.safetensors"] = content
    url = f"{site.address}/weights.safetensors#sha256={hashlib.sha256(content).hexdigest()}"
    assert load_pretrained(other, url, cache=tmp_path).missing == ()
    assert torch.equal(other.pos_embed, encoder.pos_embed)
    assert torch.equal(other.cls_token, encoder.cls_token)
