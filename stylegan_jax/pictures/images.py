"""Images: float ↔ uint8 as the official programs do it, labelled sheets, PNG files that say what made them, reading."""

import contextlib
import functools
import io
import itertools
import json
import math
import mmap
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin, UnidentifiedImageError

from stylegan_jax.errors import InputError, remedy_of, shown, system_fault
from stylegan_jax.pictures import pool
from stylegan_jax.storage import atomic, inputs

Source = str | Path | io.BytesIO

LARGEST_SIDE = 65_535
LARGEST_IMAGE = 120_000_000  # pixels: they take 7 bytes each while they are read, those of a WebP twice as many
_LARGEST_WEBP, _LARGEST_SPELT = 60_000_000, 1_000_000
_DECODERS = pool.Share(896 << 20)  # bytes for all images that are being decoded
_PIXEL = 7  # bytes
_MOST_SCANNED = 100 * LARGEST_IMAGE  # pixels times scans of a JPEG: an empty scan costs a visit to each of its blocks
_MOST_READS = 2_000_000  # of a file by Pillow, in 1 to 3 s; half as many runs of a BMP
_LONGEST_HEADER = 24 << 20  # bytes: Pillow joins the parts of EXIF one by one
_SCAN = re.compile(rb"\xff\xda\x00(?:\x06\x00|\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")  # a marker: no pixels hold one
_SHORTEST_SCAN = 12  # bytes: that marker's ten, and two
_STRIP = 1 << 24  # bytes that are converted at once
Image.core.set_block_size(1 << 26)  # glibc gives back at once what is larger than 2²⁵ bytes, and keeps the rest
READABLE = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # none that starts a program, as EPS does
_GAP = 4  # pixels between the cells of a sheet
_KEY = "stylegan_jax"
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def to_uint8(images: Float[Any, "*n h w c"]) -> UInt8[Any, "*n h w c"]:
    """Images of nominal range [-1, 1] → pixels: x·127.5 + 128, clipped to [0, 255], truncated. Numpy or JAX arrays."""
    return (images.astype("float32") * 127.5 + 128).clip(0, 255).astype("uint8")


def to_float(pixels: UInt8[Any, "*n h w c"] | Float[Any, "*n h w c"]) -> Float[Any, "*n h w c"]:
    """Pixels → images in [-1, 1], as training sees them: p / 127.5 - 1; floats pass. Numpy or JAX arrays."""
    return pixels.astype("float32") / np.float32(127.5) - np.float32(1) if pixels.dtype == np.uint8 else pixels


def grid(images: UInt8[np.ndarray, "n h w c"], columns: int | None = None) -> UInt8[np.ndarray, "H W c"]:
    """Tiles images row by row, as square as possible unless `columns` is given; missing ones are black.

    Raises InputError if the grid is too large for an image file.
    """
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    check_size(columns * width, rows * height)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:n] = images
    tiles = tiles.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return tiles.reshape(rows * height, columns * width, channels)


def check_size(width: int, height: int) -> None:
    """Raises InputError if a sheet of that many pixels is too large for an image file."""
    if max(width, height) > LARGEST_SIDE:
        raise InputError(f"a sheet of {width}×{height} pixels is too large for an image file", "use fewer images")


def sheet(
    rows: Sequence[UInt8[np.ndarray, "n h w c"]],
    *,
    title: str = "",
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    cell: int = 256,
) -> UInt8[np.ndarray, "H W 3"]:
    """Rows of images with a title above, labels beside the rows and above the columns, on white.

    Larger images are shrunk to `cell` pixels; those under half of it are enlarged by a whole factor.

    Raises InputError if the sheet is too large for an image file.
    """
    cells = [[_fit(image, cell) for image in row] for row in rows]
    texts = [_wrapped(_plain(label), 180) for label in row_labels]
    left = max((_width(text) + 12 for text in texts), default=_GAP)
    top = 8 + (28 if title else 0) + (24 if column_labels else 0)
    across, down = (side + _GAP for side in cells[0][0].size)
    width, height = left + max(map(len, cells)) * across, top + len(cells) * down
    width = max(width, _width(_plain(title)) + 12)
    check_size(width, height)
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((6, 6), _plain(title), "black", _font())
    for i, label in enumerate(column_labels):
        draw.text((left + (i + 0.5) * across, top - 4), _plain(label), "black", _font(), anchor="md")
    for i, text in enumerate(texts):
        draw.text((6, top + (i + 0.5) * down), text, "black", _font(), anchor="lm")
    for i, row in enumerate(cells):
        for j, picture in enumerate(row):
            canvas.paste(picture, (left + j * across, top + i * down))
    return np.asarray(canvas)


def _fit(image: UInt8[np.ndarray, "h w c"], cell: int) -> Image.Image:
    picture = on_white(image)
    largest = max(picture.size)
    if largest > cell:
        return picture.resize([round(side * cell / largest) for side in picture.size], Image.Resampling.BOX)
    return ImageOps.scale(picture, max(1, cell // 2 // largest), Image.Resampling.LANCZOS)


def on_white(image: UInt8[np.ndarray, "h w c"]) -> Image.Image:
    """Grey, RGB or RGBA pixels as an RGB picture."""
    return _without_alpha(_picture(image)).convert("RGB")


def _picture(image: UInt8[np.ndarray, "h w c"]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image))


_SPELT = str.maketrans(
    {"α": "alpha", "ψ": "psi", "σ": "sigma", "×": "x", "→": "->", "≤": "<=", "≥": ">=", "·": "*"}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)


def _plain(text: str) -> str:
    """The letters that Pillow's font has: ASCII."""
    text = unicodedata.normalize("NFKD", text.translate(_SPELT))
    return "".join(letter if letter.isascii() else "?" for letter in text if not unicodedata.combining(letter))


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(size=16)


def _width(text: str) -> int:
    return math.ceil(max(_font().getlength(line) for line in text.split("\n")))


def _wrapped(label: str, width: int) -> str:
    """Breaks a label into lines of at most `width` pixels, at blanks where it can."""
    lines = [""]
    for word in label.split(" "):
        joined = f"{lines[-1]} {word}".strip()
        if _width(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return "\n".join(lines)


def encode_png(image: UInt8[np.ndarray, "h w c"], made_by: Mapping[str, Any] | None = None, *, level: int = 6) -> bytes:
    """PNG bytes of grey, RGB or RGBA pixels; `made_by` (plain JSON data) goes into a text chunk.

    Args:
      level: zlib's, 0 to 9; at 1024 pixels level 1 takes a third of the time of level 6.
    """
    info = PngImagePlugin.PngInfo()
    if made_by:
        info.add_itxt(_KEY, json.dumps(made_by, ensure_ascii=False))
    file = io.BytesIO()
    _picture(image).save(file, "PNG", pnginfo=info, compress_level=level)
    return file.getvalue()


def write_png(
    path: str | Path,
    image: UInt8[np.ndarray, "h w c"],
    made_by: Mapping[str, Any] | None = None,
    *,
    level: int = 6,
    overwrite: bool = False,
) -> None:
    """Writes `encode_png`'s bytes, whole or not at all; InputError if `path` exists (unless `overwrite`)."""
    with atomic.new_file(path, overwrite=overwrite) as file:
        file.write(encode_png(image, made_by, level=level))


def made_by(path: str | Path) -> dict[str, Any]:
    """What `write_png` noted in a PNG; empty for other files' PNGs. Raises InputError for what is no PNG."""
    try:
        with _opened(path) as file, Image.open(file, formats=("PNG",)) as picture:
            note = str(picture.info.get(_KEY, "{}")).encode()
    except InputError as error:
        error.file = path
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    try:
        found = inputs.parsed(note, inputs.Budget(len(note)))
        if type(found) is not dict:
            raise ValueError("no table")
    except (ValueError, InputError) as error:
        raise InputError(f"carries a damaged note ({shown(str(error), 100)})", "make it again", file=path) from error
    return found


def read(path: Source, channels: int = 3, *, most: int = LARGEST_IMAGE) -> UInt8[np.ndarray, "h w c"]:
    """The pixels of a user's image (a file, or its bytes), upright: grey (`channels` 1), RGB (3) or RGBA (4).

    Transparent pixels turn white unless `channels` is 4; 16-bit values are scaled; of an animation, the first frame.

    Raises InputError, naming the file, for whatever cannot be read and for images of over `most` pixels.
    """
    with reading(path, channels, most=most) as pixels:
        return pixels


@contextlib.contextmanager
def reading(path: Source, channels: int = 3, *, most: int = LARGEST_IMAGE) -> Iterator[UInt8[np.ndarray, "h w c"]]:
    """As `read`; while the block runs the memory counts as used, so that threads do not take more than there is."""
    with contextlib.ExitStack() as stack:
        yield _read(path, channels, most, stack)


def _read(path: Source, channels: int, most: int, memory: contextlib.ExitStack) -> UInt8[np.ndarray, "h w c"]:
    try:
        with warnings.catch_warnings(), contextlib.ExitStack() as stack:
            warnings.simplefilter("ignore")  # Pillow's about half a bomb, odd EXIF, odd palettes
            file = stack.enter_context(_opened(path))
            picture = stack.enter_context(Image.open(file, formats=READABLE))
            file.header = math.inf
            if picture.width * picture.height > most:
                raise _too_many(picture, path)
            memory.enter_context(_DECODERS.held(_bytes_of(picture, path)))
            _check_scans(picture, file, path)
            return _pixels(picture, channels, path)
    except InputError as error:
        error.file = path if error.file is None else error.file
        raise
    except Exception as error:  # decoders raise at least five kinds
        raise _unreadable(path, error) from error


class _Counted:
    """A file that is read so much and no more: Pillow goes through headers, and some pixels, piece by piece."""

    pieces, header = 0, math.inf  # how many reads are left, and how many bytes of the header

    def read(self, size: int | None = -1) -> bytes:
        """As of any file. Raises InputError for one that is read too often."""
        self.pieces -= 1
        self.header -= max(0, size or 0)
        if self.pieces < 0:
            raise InputError(f"is made of more than {_MOST_READS} pieces", "save it as PNG or JPEG")
        if self.header < 0:
            raise InputError(f"begins with more than {_LONGEST_HEADER >> 20} MiB of notes", "save it as PNG or JPEG")
        return super().read(size)  # type: ignore[misc]


class _File(_Counted, io.BufferedReader):
    pass


class _Bytes(_Counted, io.BytesIO):
    pass


def _opened(path: Source) -> _File | _Bytes:
    bytes_there = isinstance(path, io.BytesIO)
    file = _Bytes(path.getvalue()) if bytes_there else _File(inputs.open_regular(path).detach())  # neither is a copy
    file.pieces, file.header = _MOST_READS, _LONGEST_HEADER
    return file


def _bytes_of(picture: Image.Image, path: Source) -> int:
    """The memory that decoding takes, by the header; InputError where it is too much."""
    area = picture.width * picture.height
    spelt = any(tile[0] == "ppm_plain" for tile in getattr(picture, "tile", ()))  # in digits, read by Python
    most = _LARGEST_WEBP if picture.format == "WEBP" else _LARGEST_SPELT if spelt else LARGEST_IMAGE
    if area > most:
        raise _too_many(picture, path)
    return area * _PIXEL * LARGEST_IMAGE // most if most != _LARGEST_SPELT else area * _PIXEL


def _too_many(picture: Image.Image, path: Source) -> InputError:
    return InputError(f"{picture.width}×{picture.height} pixels are too many", "scale it down", file=path)


def _check_scans(picture: Image.Image, file: _File | _Bytes, path: Source) -> None:
    """Raises InputError for a JPEG that goes over its pixels far more often than any program makes it do."""
    most = _MOST_SCANNED // (picture.width * picture.height)
    if picture.format not in ("JPEG", "MPO") or file.seek(0, io.SEEK_END) // _SHORTEST_SCAN <= most:
        return
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(
            file.getbuffer() if isinstance(file, _Bytes) else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        )
        scans = sum(1 for _ in itertools.islice(_SCAN.finditer(found), most + 1))
    if scans > most:
        what = f"has more than {most} scans of its {picture.width}×{picture.height} pixels"
        raise InputError(what, "save it as PNG or JPEG", file=path)


def _pixels(picture: Image.Image, channels: int, path: Source) -> UInt8[np.ndarray, "h w c"]:
    """The upright pixels, converted strip by strip: Pillow would make a copy of all at each step."""
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    width, height = picture.size
    pixels = np.empty((height, width, channels), np.uint8)
    rows = max(1, _STRIP // (4 * width))
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        strip = _eight_bits(strip, path)
        strip = strip if channels == 4 else _without_alpha(strip)
        converted = np.asarray(strip if strip.mode == _MODES[channels] else strip.convert(_MODES[channels]))
        pixels[top : top + rows] = converted.reshape(*converted.shape[:2], channels)
    return pixels


def _eight_bits(picture: Image.Image, path: Source) -> Image.Image:
    """Pillow clips 16-bit values instead of scaling them."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise InputError("its pixels are neither 8 nor 16 bits", "save it as an 8-bit PNG", file=path)
    return Image.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))


def _without_alpha(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture
    picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.getchannel("A").getextrema() == (255, 255):  # as most have it, and composing takes longer than decoding
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def _unreadable(path: Source, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("no such file", "check the path", file=path)
    if isinstance(error, Image.DecompressionBombError):
        return InputError("has too many pixels", "scale it down", file=path)
    if (fault := system_fault(error)) is not None:
        return InputError(f"cannot be read ({fault.strerror})", remedy_of(fault), file=path)
    if isinstance(error, UnidentifiedImageError):
        return InputError("cannot be read as an image (of no known kind)", "save it as PNG or JPEG", file=path)
    reason = shown(" ".join(str(error)[:1000].split()), 150) or type(error).__name__
    return InputError(f"cannot be read as an image ({reason})", "save it as PNG or JPEG", file=path)
