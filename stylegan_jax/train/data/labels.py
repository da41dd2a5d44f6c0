"""Labels of training images: from `dataset.json`, wherever in the data set it lies, or from the names of subfolders."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from stylegan_jax.errors import InputError, brief, shown
from stylegan_jax.train.data.sources import LABELS, Images

Kind = Literal["json", "folders"]
_SHOWN = 3
_MOST_CLASSES = 1 << 16
_MOST_NUMBERS, _MOST_GAPS = 1 << 26, 4  # in a table of labels of which most classes have no image
_MOST_KINDS = 4096  # distinct labels that a model file remembers with their counts


@dataclass(frozen=True)
class Labels:
    """Label of every image by name, and what there is to say about them."""

    by_name: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read(source: Images, kind: Kind) -> Labels:
    """The labels of a data set; InputError where it has none, or they contradict each other."""
    return _of_folders(source) if kind == "folders" else _of_json(source)


def _of_folders(source: Images) -> Labels:
    """Subfolders as classes, numbered in the order of their names."""
    folders = _folders(source.names)
    if len(set(folders.values())) < 2 or None in folders.values():
        loose = [name for name, folder in folders.items() if folder is None]
        what = f"{len(loose)} images lie in no subfolder: {_few(loose)}" if loose else "has fewer than two subfolders"
        raise InputError(what, "put each class into a folder of its own, or train without --labels", file=source.path)
    classes = sorted({str(folder) for folder in folders.values()})
    numbers = {folder: i for i, folder in enumerate(classes)}
    listed = ", ".join(f"{i} {shown(folder)}" for folder, i in list(numbers.items())[:12])
    more = ", …" if len(classes) > 12 else ""
    labels = {name: numbers[str(folder)] for name, folder in folders.items()}
    return Labels(labels, (f"{len(classes)} classes from subfolders: {listed}{more}",))


def _folders(names: Sequence[str]) -> dict[str, str | None]:
    """Name → the first folder below what all have in common; None for an image that lies there itself."""
    parts = [PurePosixPath(name).parts[:-1] for name in names]
    common = 0
    while parts and all(len(each) > common + 1 and each[common] == parts[0][common] for each in parts):
        common += 1
    return {name: each[common] if len(each) > common else None for name, each in zip(names, parts, strict=True)}


def _of_json(source: Images) -> Labels:
    files = source.label_files()
    found = [_entries(source, file) for file in files]
    entries = [entry for each in found for entry in each or ()]
    if not files or (not entries and None in found):
        raise _lacking(source)
    known, labels, dangling = set(source.names) | set(source.refused), {}, []
    for folder, name, label in entries:
        full = next((each for each in (f"{folder}{name}", name) if each in known), None)
        if full is None:
            dangling.append(name)
        elif labels.setdefault(full, label) != label:
            what = f"{LABELS} gives {shown(full)} two labels, {brief(labels[full], 40)} and {brief(label, 40)}"
            raise InputError(what, "keep one of them", file=source.path)
    notes = [f"labels from {shown(file)}" for file in files if file != LABELS]
    if dangling:
        notes.append(f"{len(dangling)} labels of images that are not there ({_few(dangling)})")
    return Labels(labels, tuple(notes))


def _entries(source: Images, file: str) -> list[tuple[str, str, Any]] | None:
    """(folder of the file, name, label) of every entry, None for `null`; InputError if it is no such file."""
    folder = file.removesuffix(LABELS)
    try:
        found = source.json(file)["labels"]
        if found is None:
            return None
        pairs = ((name.replace("\\", "/"), label if _is_label(label) else None) for name, label in found)
        return [(folder, name, label) for name, label in pairs]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = '{"labels": [["name.png", label], …]}'
        raise InputError(f"{LABELS} does not read {what}", "repair or remove it", file=source.path) from error


def _is_label(value: Any) -> bool:
    """One value or a list of values; lists in lists take for ever to compare."""
    if type(value) is list:
        return len(value) <= _MOST_CLASSES and all(type(each) not in (list, dict) for each in value)
    return type(value) is not dict


def _lacking(source: Images) -> InputError:
    folders = sorted({str(folder) for folder in _folders(source.names).values() if folder is not None})
    if len(folders) > 1:
        what = f"has no labels ({LABELS}), but {len(folders)} subfolders: {_few(folders)}"
        return InputError(what, "pass --labels folders to make them classes", file=source.path)
    return InputError("has no labels", f"add a {LABELS}, or train without --labels", file=source.path)


def table(labels: Labels, names: Sequence[str], path: Path) -> tuple[Float[np.ndarray, "n c_dim"], tuple[str, ...]]:
    """The labels of the images in use, a row each, and what there is to say.

    Class numbers become one-hot rows, as wide as the images have classes; vectors stay as they are.
    """
    missing = [name for name in names if name not in labels.by_name]
    if missing:
        what = f"{LABELS} has no label for {len(missing)} images: {_few(missing)}"
        raise InputError(what, "add them, or train without --labels", file=path)
    values = [labels.by_name[name] for name in names]
    if all(type(value) is int and 0 <= value < _MOST_CLASSES for value in values):
        if len(names) * max(values) > _MOST_NUMBERS and max(values) > _MOST_GAPS * len(set(values)):
            what = f"{LABELS} numbers {len(set(values))} classes up to {max(values)}"
            raise InputError(what, "number them without gaps, from 0 on", file=path)
        found = np.zeros((len(names), max(values) + 1), np.float32)
        found[np.arange(len(names)), values] = 1
        return found, (*labels.notes, *_gaps(values))
    try:
        vectors = np.array(values, np.float64)
    except (ValueError, TypeError, OverflowError):
        vectors = np.zeros((0, 0))
    if vectors.ndim != 2 or vectors.size == 0 or not (np.abs(vectors) < np.finfo(np.float32).max).all():
        what = f"{LABELS} does not give every image a class number from 0 on, or every image a vector of one width"
        raise InputError(what, "repair it, or train without --labels", file=path)
    return vectors.astype(np.float32), labels.notes


def _gaps(values: Sequence[int]) -> list[str]:
    empty = sorted(set(range(max(values))) - set(values))
    if not empty:
        return []
    more = ", …" if len(empty) > 12 else ""
    shown = ", ".join(map(str, empty[:12]))
    what = f"{len(empty)} of {max(values) + 1} classes have no image: {shown}{more}"
    return [f"{what} (the model cannot learn them: number the classes without gaps)"]


def counted(rows: Float[np.ndarray, "n c_dim"]) -> list[list[Any]]:
    """[label, images] for each label there is, the label a class number or a vector; empty for very many."""
    counts = Counter(map(tuple, rows.tolist()))
    one_hot = all(sorted(row) == [0.0] * (len(row) - 1) + [1.0] for row in counts)
    if not rows.shape[1] or len(counts) > _MOST_KINDS or (not one_hot and len(counts) * rows.shape[1] > 1 << 16):
        return []
    return [[row.index(1.0) if one_hot else list(row), count] for row, count in sorted(counts.items(), reverse=True)]


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
