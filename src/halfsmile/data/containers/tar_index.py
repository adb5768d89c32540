"""Where the files of a tar archive lie: names, offsets and sizes from its headers, without the contents.

Reads the formats that tar programs write: V7, ustar, GNU (long names, sizes beyond 8 GiB) and pax (``path``
and ``size``); see POSIX.1-2017, pax, "ustar Interchange Format". Damaged bytes end the index; nothing of
what was found before is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 512
EXTENSION_LIMIT = 1 << 20
_ZEROS = bytes(BLOCK)
_DATALESS = (b"1", b"2", b"3", b"4", b"5", b"6")


@dataclass(frozen=True, slots=True)
class TarMember:
    """One entry of a tar archive.

    Args:
        name: As stored; UTF-8, or Latin-1 where it is not UTF-8.
        offset: First byte of the contents in the archive.
        size: Bytes of the contents.
        problem: Why it can't be read as a file ("link", …); empty for files, "folder" for folders.
    """

    name: str
    offset: int
    size: int
    problem: str = ""


def is_tar_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a member, by their checksum; zeros (its end) also count."""
    if len(block) < BLOCK:
        return False
    try:
        return block == _ZEROS or sum(block) - sum(block[148:156]) + 8 * 32 == _number(block[148:156])
    except ValueError:
        return False


def tar_members(read: Callable[[int, int], bytes], length: int) -> Iterator[TarMember]:
    """Members in the order in which they are stored, one header read each.

    Args:
        read: ``read(offset, count)`` gives the archive's bytes.
        length: Bytes of the archive.

    Yields:
        Every entry; where the archive is cut short or damaged, a last one that says so in ``problem``.
    """
    offset = 0
    override: dict[str, str] = {}
    while offset < length:
        header = read(offset, BLOCK)
        if header == _ZEROS:
            return
        try:
            if not is_tar_header(header):
                raise ValueError("no header where one should be")
            size, kind = _number(header[124:136]), header[156:157]
            start = offset + BLOCK
            if kind in (b"L", b"K", b"x", b"g"):
                if size > EXTENSION_LIMIT or start + size > length:
                    raise ValueError("an extended header that is too long")
                offset = start + _padded(size)
                if kind == b"L":
                    override["path"] = _text(read(start, size).split(b"\0")[0])
                elif kind == b"x":
                    override.update(_pax(read(start, size)))
                continue
            size = _decimal(override.get("size", str(size)))
        except ValueError as error:
            yield TarMember(f"at byte {offset}", offset, 0, f"damaged from here on: {error}")
            return
        name = override.get("path") or _name(header)
        is_sparse = kind == b"S" or any(key.startswith("GNU.sparse") for key in override)
        override = {}
        offset = start + (0 if kind in _DATALESS else _padded(size))
        problem = ""
        if kind == b"5" or (kind in (b"0", b"\0") and name.endswith("/")):
            problem = "folder"
        elif kind in (b"1", b"2"):
            problem = "link"
        elif is_sparse:
            problem = "sparse file"
        elif kind not in (b"0", b"\0", b"7"):
            problem = "device or unknown kind"
        elif start + size > length:
            problem = "cut short"
        yield TarMember(name, start, size, problem)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _number(field: bytes) -> int:
    """An octal number, or GNU's base 256 behind a byte 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    value = int(field.split(b"\0")[0].strip() or b"0", 8)
    if value < 0:
        raise ValueError("a negative number")
    return value


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError(f"a size of {text[:20]!r}")
    return int(text)


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _pax(data: bytes) -> dict[str, str]:
    """Records of length, space, ``key=value`` and a line feed, where the length counts the whole record."""
    values = {}
    while data.strip(b"\0"):
        digits, _, _ = data.partition(b" ")
        length = _decimal(digits.decode("latin-1"))
        record = data[len(digits) + 1 : length]
        key, separator, value = record.partition(b"=")
        if not separator or not value.endswith(b"\n"):
            raise ValueError("a broken pax record")
        values[_text(key)] = _text(value[:-1])
        data = data[length:]
    return values
