"""The one decoder of images: what is checked is what is trained on, predicted, timed and drawn.

An image is a JPEG or a PNG of 8 bits a channel, in grey or colour. OpenCV decodes it; the frame is
that of the pixels as they are stored. What programs read differently, or what a decoder would have
to choose about, is refused by name: an EXIF orientation other than upright (COCO's tools box the
stored pixels, viewers turn them), other formats, 16 bits, CMYK, transparency, animation, and files
that end too soon. A header is read before anything is decoded, so one that claims more pixels than
`MOST_PIXELS` costs nothing.

A label image, whose values are classes and no colours, is a PNG of one channel of 8 bits.
"""

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lzu.errors import UserError

MOST_PIXELS = 2**27
"""Of an image: 134 million, more than any camera's; as decoded pixels, 0.4 GB."""
MOST_BYTES = 2**29
"""Of an image's file."""
IMAGE_CHECKS = ("decode", "header", "none")
"""How closely a validator looks at image files."""
MEND = "save it as an upright 8-bit JPEG or PNG without transparency"

_BEGINNING = 2**16
_PNG = b"\x89PNG\r\n\x1a\n"
# What other files begin with, and at which byte.
_OTHERS = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftyp", "HEIF or AVIF"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
)
# JPEG's markers: those without a length; frames that are decoded (sequential, extended, progressive
# with Huffman coding) and those that are not.
_BARE = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {0xC0, 0xC1, 0xC2}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_SOS, _APP1 = 0xDA, 0xE1


class ImageError(UserError):
    """What is wrong with an image file; `kind` is the name that a finding has for it."""

    def __init__(self, message: str, kind: str = "image_unreadable") -> None:
        # PyTorch hands on what a worker process raised as a text: a traceback, and this at its end.
        super().__init__(message.rpartition(f"{type(self).__name__}: ")[2].rstrip())
        self.kind = kind


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        size: (width, height) in pixels, as stored.
        jpeg: whether it is a JPEG, else it is a PNG.
        orientation: EXIF's, 1 (upright) if it says nothing.
        scan: where a JPEG's compressed data begin.
    """

    size: tuple[int, int]
    jpeg: bool
    orientation: int
    scan: int = 0


def read_image(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read an image: (H, W, 3) uint8, blue, green, red, in the frame of the stored pixels.

    `size` is the (width, height) that it must have; None: any.

    Raises:
        ImageError: it is missing, damaged, of another size, or none that this project reads. The
            message names the file.
    """
    try:
        return _decode(_bytes(Path(path)), size, cv2.IMREAD_COLOR)
    except ImageError as error:
        raise ImageError(f"{path}: {error}", error.kind) from None


def read_labels(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read a label image: (H, W) uint8, the values as they are stored; see `read_image`."""
    try:
        return decode_labels(_bytes(Path(path)), size)
    except ImageError as error:
        raise ImageError(f"{path}: {error}", error.kind) from None


def decode_labels(data: bytes, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A label image that lies in memory, as `read_labels` reads it; no error names a file."""
    _require_labels(data)
    return _decode(data, size, cv2.IMREAD_GRAYSCALE)


def check_image(path: Path, size: tuple[int, int] | None, *, decode: bool) -> None:
    """Raise ImageError, without the file's name, if `read_image` would.

    With `decode` every byte is read; otherwise the header alone is, so damage beyond it is missed.
    """
    if decode:
        # A picture of an eighth still needs every byte of the file, but less arithmetic.
        _decode(_bytes(path), size, cv2.IMREAD_REDUCED_COLOR_8)
    else:
        _accept(read_header(path), size)


def image_problem(path: Path, size: tuple[int, int], how: str) -> tuple[str, str] | None:
    """Kind and description of what is wrong with an image file that should be `size` = (width,
    height), or None."""
    if how == "none":
        return None if path.is_file() else ("image_missing", "the image is missing")
    try:
        check_image(path, size, decode=how == "decode")
    except ImageError as error:
        return error.kind, str(error)
    return None


def check_labels(path: Path, size: tuple[int, int] | None) -> None:
    """Raise ImageError, without the file's name, if `read_labels` would for its header."""
    _require_labels(_bytes(path, _BEGINNING))
    _accept(read_header(path), size)


def read_header(path: Path) -> Header:
    """What an image file says of itself; ImageError, without its name, if it is none."""
    data = _bytes(path, _BEGINNING)
    try:
        return _header(data)
    except ImageError:
        if len(data) < _BEGINNING:
            raise
        # What a camera adds to a header may be longer than usual.
        return _header(_bytes(path))


def _bytes(path: Path, most: int = -1) -> bytes:
    """A file's bytes, the first `most` of them."""
    try:
        # Opened without waiting, or a named pipe would hang.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise ImageError("the image is missing (this is no regular file)", "image_missing")
            if state.st_size > MOST_BYTES:
                raise ImageError(f"the image's file is too large ({state.st_size:,} bytes): {MEND}")
            return file.read(most)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise ImageError("the image is missing", "image_missing") from None
    except OSError as error:
        raise ImageError(f"the image cannot be read ({error.strerror})") from None


def _decode(data: bytes, size: tuple[int, int] | None, how: int) -> NDArray[np.uint8]:
    header = _header(data)
    _accept(header, size)
    # Not every release of OpenCV minds that a JPEG ends too soon. No marker lies within its data.
    if header.jpeg and data.rfind(b"\xff\xd9") < header.scan:
        raise ImageError("the image cannot be read (its file is cut off)")
    flags = how | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"the image cannot be read ({error.err})") from None
    if image is None:
        raise ImageError("the image cannot be read (its file is damaged or cut off)")
    return image


def _accept(header: Header, size: tuple[int, int] | None) -> None:
    width, height = header.size
    if size is not None and header.size != size:
        raise ImageError(
            f"the image has {width} x {height} pixels, but the annotations say "
            f"{size[0]} x {size[1]}",
            "image_size",
        )
    if width * height > MOST_PIXELS:
        raise ImageError(
            f"the image claims {width} x {height} pixels, more than {MOST_PIXELS:,}: {MEND}"
        )
    if header.orientation != 1:
        raise ImageError(
            f"the image's EXIF orientation is {header.orientation}, so its pixels are stored in "
            "another frame than it is shown in, and which one the boxes are in is unknown: turn "
            "the pixels, or remove the tag if the boxes are of the stored ones",
            "image_orientation",
        )


def _require_labels(data: bytes) -> None:
    """Raise ImageError for an image of another kind, be it readable as a picture or not."""
    bits_and_colour = data[24:26]
    is_png = data.startswith(_PNG)
    if (is_png and bits_and_colour not in (b"\x08\0", b"")) or data.startswith(b"\xff\xd8\xff"):
        raise ImageError(
            "the values are no labels: they are colours, indices of a palette, or not of 8 bits; "
            "give the PNG of one channel of 8 bits that holds the classes' ids",
            "label_mode",
        )


def _header(data: bytes) -> Header:
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(_PNG):
            return _png(data)
    except (struct.error, IndexError):
        raise ImageError("the image cannot be read (its header is cut off)") from None
    for start, mark, name in _OTHERS:
        if data[start:].startswith(mark):
            raise ImageError(f"the image is a {name}, which is not read: {MEND}", "image_format")
    what = "the file is empty" if not data else "it is neither a JPEG nor a PNG"
    raise ImageError(f"the image cannot be read ({what})")


def _jpeg(data: bytes) -> Header:
    at, size, orientation = 2, None, 1
    while True:
        if data[at] != 0xFF:
            raise ImageError("the image cannot be read (its header is damaged)")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _BARE:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker == _SOS:
            break
        if marker in _OTHER_FRAMES:
            raise ImageError(
                f"the image is a JPEG of a rare kind, which is not read: {MEND}", "image_format"
            )
        if marker in _FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 2)
            if bits != 8 or channels not in (1, 3):
                raise ImageError(
                    f"the image has {channels} channels of {bits} bits (CMYK, for instance), which "
                    f"is not read: {MEND}",
                    "image_format",
                )
            size = (width, height)
        if marker == _APP1 and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = _orientation(data[at + 8 : at + length])
        at += length
    if size is None or 0 in size:
        raise ImageError("the image cannot be read (its header gives no size)")
    return Header(size, True, orientation, at)


def _png(data: bytes) -> Header:
    length, kind, width, height, bits, colour = struct.unpack_from(">I4sIIBB", data, len(_PNG))
    if kind != b"IHDR" or length != 13 or 0 in (width, height):
        raise ImageError("the image cannot be read (its header is damaged)")
    orientation, chunks = 1, set()
    for name, content in _chunks(data):
        chunks.add(name)
        if name == b"eXIf":
            orientation = _orientation(content)
    unread = {
        "16 bits a channel": bits == 16,
        "transparency": colour in (4, 6) or b"tRNS" in chunks,
        "animation": b"acTL" in chunks,
    }
    for name, there in unread.items():
        if there:
            raise ImageError(f"the image has {name}, which is not read: {MEND}", "image_format")
    return Header((width, height), False, orientation)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of a PNG's chunks; of large ones, a part of the content."""
    at = len(_PNG)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + 8 + min(length, _BEGINNING)]
        at += 12 + length


def _orientation(block: bytes) -> int:
    """The orientation in a block of EXIF; 1 if there is none that can be read."""
    try:
        order = {b"II": "<", b"MM": ">"}[block[:2]]
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for place in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, start + 2 + 12 * place)
            if (tag, kind) == (0x112, 3):
                return int(value) if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1
