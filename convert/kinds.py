"""What a file is, by its first bytes: those that can hold a model, and what the others are."""

import itertools
import stat
from collections.abc import Sequence
from pathlib import Path

from convert.pickles.allowed import Instance, library_of, shown
from convert.pickles.torch_file import LEGACY_START
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint, inputs, rundir, shipped

OURS, RUN, SAFETENSORS, PICKLE = "ours", "training run", "safetensors", "pickle"
TORCH_ZIP, TORCH_STREAM, TORCH_FOLDER = "torch zip", "torch stream", "unpacked torch archive"
_AGAIN = "download it again"
_UNPACK = "unpack it and pass the model inside"
_OTHER_MODELS = "only StyleGAN2 models can be read: .pkl, .pt, .safetensors or a checkpoint folder"
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "run git lfs pull"),
    (b"PK\5\6", "is an empty zip archive", _AGAIN),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", _UNPACK),
    (b"\x1f\x8b", "is a gzip archive", _UNPACK),
    (b"BZh", "is a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "is an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "is a zstd archive", _UNPACK),
    (b"Rar!", "is a rar archive", _UNPACK),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file (Keras?)", _OTHER_MODELS),
    (b"\x93NUMPY", "is a NumPy array", _OTHER_MODELS),
    (b"GGUF", "is a GGUF language model", _OTHER_MODELS),
    (b"\x89PNG", "is a PNG image", _OTHER_MODELS),
    (b"\xff\xd8\xff", "is a JPEG image", _OTHER_MODELS),
    (b"%PDF", "is a PDF document", _OTHER_MODELS),
)


def sniff(path: str | Path) -> str:
    """The kind of a file that may hold a model: one of the constants of this module.

    Raises InputError, saying what it is and what to do, for everything else: missing, empty, unreadable, an archive,
    a web page, another program's file.
    """
    try:
        return _sniff(Path(path))
    except InputError as error:
        error.file = error.file or path
        raise


def _sniff(place: Path) -> str:
    try:
        status = place.stat()
        if stat.S_ISDIR(status.st_mode):
            return _folder(place)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is a device or pipe, not a file", "pass a model file")
        if status.st_size == 0:
            raise InputError("is empty (0 bytes)", _AGAIN)
        with inputs.open_regular(place) as file:
            start = file.read(4096)
    except ValueError as error:  # a NUL in it
        raise InputError("is no path", "check the path") from error
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = "no such file or folder" if missing else f"cannot be read ({error.strerror})"
        raise InputError(what, shipped.remedy(place) if missing else "check the path") from error
    if checkpoint.is_checkpoint(place):
        return OURS
    _refuse_inside(place)
    return _kind(start, status.st_size)


def _folder(path: Path) -> str:
    if checkpoint.is_checkpoint(path):
        return OURS
    if rundir.is_run(path):
        return RUN
    if (unpacked(path) / "data.pkl").is_file():
        return TORCH_FOLDER
    raise InputError("is a folder, but no checkpoint of ours", "pass a model file or a checkpoint folder")


def unpacked(path: Path) -> Path:
    """The folder of an unpacked torch archive that holds `data.pkl`: `path`, or the only folder in it."""
    if (path / "data.pkl").is_file():
        return path
    inside = list(itertools.islice(path.glob("*/data.pkl"), 2))
    return inside[0].parent if len(inside) == 1 else path


def _refuse_inside(path: Path) -> None:
    """A `data.pkl` alone has no numbers."""
    if path.name == "data.pkl" and (path.parent / "data").is_dir():
        what = "is one file of an unpacked torch archive, its names without their numbers"
        raise InputError(what, f"pass its folder: {path.parent}")


def _kind(start: bytes, size: int) -> str:
    if size < 8:
        raise InputError(f"is only {size} bytes long", _AGAIN)
    for magic, what, remedy in _STARTS:
        if start.startswith(magic):
            raise InputError(what, remedy)
    if start.startswith(LEGACY_START):
        return TORCH_STREAM
    if start.startswith(b"PK\3\4"):
        return TORCH_ZIP
    if start[0] == 0x80:
        return PICKLE
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 100_000_000:
        return SAFETENSORS
    raise _unknown(start)


def _unknown(start: bytes) -> InputError:
    if start[257:262] == b"ustar":
        return InputError("is a tar archive", _UNPACK)
    text = start.lstrip()
    if text[:1] == b"<":
        return InputError("is a web page, not a model: the download failed (quota, login?)", _AGAIN)
    if b"pytorch" in start[:64] or b"onnx" in start[:64].lower():
        return InputError("is an ONNX file", _OTHER_MODELS)
    if _is_text(start):
        return InputError("is a JSON file" if text[:1] in (b"{", b"[") else "is a text file", _OTHER_MODELS)
    return InputError("is no model file of a known kind", _OTHER_MODELS)


def _is_text(start: bytes) -> bool:
    return not start.translate(None, bytes(range(32, 127)) + b"\t\r\n" + bytes(range(128, 256)))


def unknown_tree(tree: object, left_aside: Sequence[str] = ()) -> InputError:
    """Says what a file holds that is intact but no model we can represent; `left_aside` are its opaque classes."""
    for name in left_aside:
        if library := library_of(name):
            return InputError(f"{library} ({name})", "pass a StyleGAN2 file, or its state dict")
    if isinstance(tree, Instance):
        what = f"holds an object of class {shown(tree.name)}"
    elif type(tree) is dict and {"GAN", "version"} <= set(tree):
        what = "is a lucidrains stylegan2-pytorch checkpoint, whose networks differ from the official ones"
    elif type(tree) is dict:
        keys = ", ".join(shown(key) for key in list(tree)[:8])
        what = f"holds a table of {len(tree)} entries ({keys}), none a StyleGAN2 network"
    else:
        what = f"holds {shown(tree)}, not a model"
    return InputError(what, _OTHER_MODELS)
