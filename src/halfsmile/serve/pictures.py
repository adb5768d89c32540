"""From the body of a request to pictures: raw or multipart, checked by their headers before decoding."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.image_formats.heif import heif_size
from halfsmile.data.image_formats.others import other_than_picture
from halfsmile.data.image_header import heif_kind, image_size
from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.given_table import NameWithFaces
from halfsmile.serve.known_faces import faces_of_field, faces_of_json

FORMATS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}
_JSON = 'Expected {"image": "Base64 or data:image/…"} or {"images": [ … ]}.'
_NAME_LENGTH = 255
_FILES_READ = 10_000  # of a form; the body's size is limited before
_FIELD_BYTES = 2**23  # of its text: the boxes of as many files and faces as are taken


@dataclass(frozen=True)
class Sent:
    """A file as a client sent it.

    Args:
        name: As the client calls it, for the answer only.
        data: Its bytes.
        faces: Those that the client found itself; None leaves it to the server.
    """

    name: str
    data: bytes
    faces: tuple[Detection, ...] | None = None

    @property
    def source(self) -> str:
        """The name, with the faces that are known."""
        return self.name if self.faces is None else NameWithFaces(self.name, self.faces)


async def read_pictures(request: Request, most: int) -> list[Sent]:
    """The files of a request: fields ``files`` of a multipart body, one raw body, or Base64 in JSON.

    Args:
        request: Whose body is read.
        most: Largest number of files.

    Raises:
        HTTPException: 400 if there is none, something else was sent that would be left out, or the body is
            damaged, 413 if there are too many, 415 if the body is compressed, or neither multipart nor an
            image nor JSON.
    """
    require_plain(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=_FILES_READ, max_fields=16, max_part_size=_FIELD_BYTES) as form:
            return await _of_form(form, most)
    if kind == "application/json":
        sent = await asyncio.to_thread(pictures_of_json, await request.body())
        if len(sent) > most:
            raise HTTPException(413, too_many(len(sent), most))
        return sent
    if not (kind.startswith("image/") or kind == "application/octet-stream"):
        raise HTTPException(
            415,
            "Expected multipart/form-data with the field 'files', an image as the body, or application/json "
            f'as {{"image": "Base64"}}; the Content-Type is {kind or "missing"}.',
        )
    data = await request.body()
    if not data:
        raise HTTPException(400, "The body is empty; send an image.")
    return [Sent("picture", data)]


def require_plain(request: Request) -> None:
    """Refuse a compressed body, which would be taken for a damaged one.

    Raises:
        HTTPException: 415 if it is.
    """
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise HTTPException(
            415, f"The body is compressed (Content-Encoding: {coding[:40]}); send it as it is, without."
        )


async def _of_form(form: FormData, most: int) -> list[Sent]:
    """The files of a form, with the faces of its field ``boxes``; see :func:`read_pictures`."""
    given = form.getlist("files")
    uploads = [part for part in given if isinstance(part, UploadFile)]
    nameless = "; 'files' has no filename=\"…\", and so is no file" if len(uploads) < len(given) else ""
    others = {name for name, part in form.multi_items() if isinstance(part, UploadFile)} - {"files", "boxes"}
    if not uploads or nameless or others:
        fields = ", ".join(sorted(set(form))) or "none"
        raise HTTPException(
            400, f"Expected one or more files, all in the field 'files'; fields: {fields}{nameless}."
        )
    if len(uploads) > most:
        raise HTTPException(413, too_many(len(uploads), most))
    boxes = [part.file.read() if isinstance(part, UploadFile) else part for part in form.getlist("boxes")]
    known: Sequence[tuple[Detection, ...] | None] = [None] * len(uploads)
    if boxes:
        known = await asyncio.to_thread(faces_of_field, boxes, len(uploads))
    return [
        Sent(file_name(upload, "picture"), await upload.read(), faces)
        for upload, faces in zip(uploads, known, strict=True)
    ]


def too_many(found: int, most: int) -> str:
    """Why a request with so many files is refused."""
    return (
        f"{found} files in one request are more than {most}; send fewer at once, or start the server with "
        "--limits files=…."
    )


def pictures_of_json(data: bytes) -> list[Sent]:
    """Pictures in Base64: ``{"image": …}`` or ``{"images": [ … ]}``.

    Each of several is a text or ``{"name": …, "image": …, "boxes": …}``; ``boxes`` are faces that the client
    found itself.
    A text may be a ``data:`` address, as pages have them.

    Raises:
        HTTPException: 400 if it is anything else.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"The body is no JSON. {_JSON}") from error
    single = isinstance(body, dict) and "image" in body
    if isinstance(body, dict) and "images" in body and (beside := body.keys() & {"image", "name", "boxes"}):
        raise HTTPException(
            400,
            f"{', '.join(map(repr, sorted(beside)))} beside 'images' belongs to none of them; write it "
            'into the list: {"images": [{"image": …, "boxes": …}, …]}.',
        )
    given = [body] if single else body.get("images") if isinstance(body, dict) else None
    if not isinstance(given, list) or not given:
        raise HTTPException(400, _JSON)
    sent = []
    for number, item in enumerate(given, start=1):
        text = item.get("image") if isinstance(item, dict) else item
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(text, str) or not isinstance(name, str | None):
            raise HTTPException(400, f"Image {number} is no text in Base64. {_JSON}")
        code = text.partition(",")[2] if text.startswith("data:") else text
        code = "".join(code.split()).replace("-", "+").replace("_", "/").rstrip("=")
        try:
            pixels = base64.b64decode(code + "=" * (-len(code) % 4), validate=True)
        except ValueError as error:
            raise HTTPException(400, f"Image {number} is no Base64. {_JSON}") from error
        default = "picture" if single else f"picture {number}"
        boxes = item.get("boxes") if isinstance(item, dict) else None
        faces = faces_of_json(boxes, f"Image {number}")
        sent.append(Sent(shown_name(name or "") or default, pixels, faces))
    return sent


def file_name(upload: UploadFile, default: str) -> str:
    """The last part of the name that a client gave a file, printable and not too long."""
    return shown_name(upload.filename or "") or default


def shown_name(name: str) -> str:
    """The last part of a path, printable and not too long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:_NAME_LENGTH]


def claimed_pixels(sent: Sent, most: int) -> int:
    """Pixels that a file claims to hold, from its header alone.

    Args:
        sent: The file.
        most: Largest number of pixels.

    Raises:
        BadImageError: If it is of no known format, its header is damaged, or it claims more.
    """
    if not sent.data:
        raise BadImageError(f"{sent.name}: the file is empty.")
    is_heif = heif_kind(sent.data) == "still"
    try:
        size = heif_size(sent.data) if is_heif else image_size(sent.data)
    except ValueError as error:
        raise BadImageError(f"{sent.name}: {error}") from error
    if size is None and (known := other_than_picture(sent.data)):
        raise BadImageError(f"{sent.name}: not a picture, but {known}.")
    if not is_heif and not any(sent.data.startswith(magic) for magic in FORMATS):
        raise BadImageError(
            f"{sent.name}: not a picture that is read here ({len(sent.data):,} bytes); send JPEG, PNG, WebP, "
            "GIF, BMP, or where the server has the extra 'heif' HEIC or AVIF."
        )
    if size is None or min(size) < 1:
        raise BadImageError(f"{sent.name}: damaged or cut short; its header gives no size.")
    width, height = size
    if width * height > most:
        raise BadImageError(
            f"{sent.name}: {width:,} × {height:,} pixels are more than the {most:,} taken here; "
            "send it smaller, or start the server with --limits pixels=…."
        )
    return width * height


def decode_picture(sent: Sent, most: int) -> Image:
    """Decode a file whose header was checked.

    Raises:
        BadImageError: If it is damaged, or holds more pixels than ``most`` after all.
    """
    image = decode(sent.data, sent.name)
    if image.shape[0] * image.shape[1] > most:
        raise BadImageError(f"{sent.name}: it holds more pixels than its header claims.")
    return image
