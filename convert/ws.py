"""Files of projected ws in any form people have them: `.npy`, `.npz`, torch and pickle files, folders of those."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ml_dtypes import bfloat16

from convert.pickles.allowed import Budget
from convert.warrays import NAMED, Stored, stored
from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import inputs

SPACES = ("w", "w+")
_UNFOLDED, _SPARE = 40, 1 << 28  # how far packed ws unfold that all layers share; bytes that no file must account for
_LONGEST_NAME = 120  # bytes of UTF-8: beside a number, a suffix and a process's own the file system takes 255
_SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".pkl")
_FORM = "pass finite floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz, .pt or a folder of those"


@dataclass(frozen=True, eq=False)
class Ws:
    """Ws to show, one W+ each.

    Attributes:
      names: of their images.
      values: `[n num_ws w_dim]`, float32.
      files: the names of the files they come from.
      said: a line for each array: how it was read.
    """

    names: list[str]
    values: np.ndarray
    files: list[str]
    said: list[str]


def read(sources: Sequence[str], *, num_ws: int, w_dim: int, space: str | None = None) -> Ws:
    """The ws of files and folders (`x.npz:NAME` is one array of a file), for a model that takes `[n num_ws w_dim]`.

    Images are called what the file calls them. A plain w goes to all layers. A 2-D array whose rows equal `num_ws` is
    one W+, unless `space` says "w". Pickles are interpreted and never executed.

    Raises InputError for what holds no ws, or none of that shape.
    """
    if space not in (None, *SPACES):
        raise InputError("no such space", "use w or w+", file=f"--w-space {space}")
    found = [each for source in sources for each in _arrays(source)]
    alone = len(found) == 1 and found[0][1].name is None
    pieces, names, said = [], [], []
    for path, array, budget in found:
        try:
            ws, words = _as_ws(array, num_ws, w_dim, space, budget)
        except InputError as error:
            error.file = path
            raise
        pieces.append(ws)
        said.append(f"{path}{f' {shown(array.name)}' if array.name else ''}: {words}")
        stem = "proj" if alone else _plain(array.name) if array.name else _short(Path(path).stem)
        dash = "" if alone else "-"
        if len(array.names) == len(ws):
            names += map(_plain, array.names)
            continue
        names += [f"{stem}{dash}{i:02d}" for i in range(len(ws))] if alone or len(ws) > 1 else [stem]
    files = list(dict.fromkeys(Path(path).name for path, _, _ in found))
    return Ws(_unique(names), np.concatenate(pieces), files, said)


def _arrays(source: str) -> Iterator[tuple[str, Stored, Budget]]:
    path, name = split(source)
    try:
        files = _files(path)
        if not files:
            raise InputError("holds no files of ws", f"put {', '.join(_SUFFIXES)} files there", file=path)
        for file in files:
            try:
                size = file.stat().st_size if file.is_file() else 0
                budget = Budget(_UNFOLDED * size, spare=_SPARE)
                for array in stored(file, name, budget):
                    yield str(file), array, budget
            except InputError as error:
                error.file = error.file or file
                raise
    except OSError as error:
        raise inputs.unread(source, error) from error


def split(source: str) -> tuple[Path, str | None]:
    """The file, and after a colon the array in it."""
    path = Path(source)
    if not path.exists():
        for found in re.finditer(":", source):
            if Path(source[: found.start()]).is_file():
                return Path(source[: found.start()]), source[found.end() :]
    return path, None


def _files(path: Path) -> list[Path]:
    """The file itself; of a folder all that may hold ws, in the order of their names; an unpacked `.pt` is one."""
    if not path.is_dir() or (path / "data.pkl").is_file():
        return [path]
    inside = [file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file()]
    visible = [file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    return sorted(visible, key=lambda file: [_natural(part) for part in file.relative_to(path).parts])


def _natural(text: str) -> list[tuple[int, str]]:
    """`w10` after `w9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", text)]


def _as_ws(array: Stored, num_ws: int, w_dim: int, space: str | None, budget: Budget) -> tuple[np.ndarray, str]:
    """One W+ for each image, and how the array was read."""
    values, shape = array.values, list(array.values.shape)
    if values.dtype.kind != "f" and values.dtype != bfloat16:
        raise InputError(f"holds {values.dtype} of shape {shape}", _FORM)
    if values.ndim == 0 or values.size == 0:
        raise InputError(f"holds {values.dtype} of shape {shape}", _FORM)
    layered = values.ndim >= 2 and values.shape[-2:] == (num_ws, w_dim)
    plain = values.shape[-1] == w_dim and (values.ndim <= 2 or values.shape[-2] == 1)
    reads_layers = layered and space != "w"
    if not reads_layers and not (plain and space != "w+"):
        taker = f"--w-space {space} of this model takes" if space else "this model takes"
        wanted = f"[n, {w_dim}]" if space == "w" else f"[n, {num_ws}, {w_dim}]"
        what = f"holds ws of shape {shape}, {taker} {wanted}"
        raise InputError(what, "use the model they were projected with, or a blend of it")
    rows = values.size // w_dim // (num_ws if reads_layers else 1)
    budget.allocate(2 * 4 * rows * num_ws * w_dim, f"{rows} ws for {num_ws} layers")
    with np.errstate(all="ignore"):
        numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        kept = np.isfinite(values.astype(np.float64) if values.dtype == bfloat16 else values).all()
        raise InputError("holds NaN or Inf" + (" as float32" if kept else ""), _FORM)
    if reads_layers:
        ws = numbers.reshape(-1, num_ws, w_dim)
        hint = " (for plain ws: --w-space w)" if plain and space is None else ""
        return ws, f"{shape} read as {_count(len(ws), 'W+')}{hint}"
    ws = np.repeat(numbers.reshape(-1, 1, w_dim), num_ws, 1)
    hint = f" (one W+ of this model is [{num_ws}, {w_dim}])" if len(ws) > 1 and space is None else ""
    return ws, f"{shape} read as {_count(len(ws), 'w')}, each for all {num_ws} layers{hint}"


def _count(n: int, what: str) -> str:
    return f"one {what}" if n == 1 else f"{n} {what}" if what == "W+" else f"{n} {what}s"


def _plain(name: str) -> str:
    """A name from a file as part of an output's name: no folders, no suffix, no characters of a shell's."""
    last = re.split(r"[/\\]", name)[-1]
    stem = last[: -len(Path(last).suffix)] if NAMED.fullmatch(last) else last
    return _short(re.sub(r"[^\w.+-]+", "-", stem)[:80]).strip(".-") or "w"


def _short(name: str) -> str:
    """What an output's name has room for."""
    data = name.encode(errors="surrogateescape")
    return name if len(data) <= _LONGEST_NAME else data[:_LONGEST_NAME].decode(errors="ignore")


def _unique(names: Sequence[str]) -> list[str]:
    """Names that occur again get a number; none is that of a file beside the images."""
    taken: set[str] = {"grid", "manifest", "w"}
    tried: dict[str, int] = {}
    result = []
    for name in names:
        free = name
        while free.casefold() in taken:
            tried[name] = tried.get(name, 1) + 1
            free = f"{name}-{tried[name]}"
        taken.add(free.casefold())
        result.append(free)
    return result
