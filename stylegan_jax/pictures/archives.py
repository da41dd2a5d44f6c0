"""Images in one zip or tar file, which a killed run continues."""

import contextlib
import json
import os
import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import pool
from stylegan_jax.pictures.containers import CONTAINERS, Container, Member
from stylegan_jax.pictures.naming import ARRAY, Pictures, difference
from stylegan_jax.storage import atomic, inputs, remote
from stylegan_jax.storage.parts import Part, array_to_json

MANIFEST = "manifest.json"
_EVERY = 2.0  # seconds between two moments from which a killed run can go on


def is_archive(path: str | Path) -> bool:
    """Whether an output of that name is one file of images."""
    return PurePosixPath(str(path)).suffix.lower() in CONTAINERS


def part_path(path: str | Path, part: Part) -> str:
    """Where a part's archive lies: `faces.zip` → `faces-0-of-4.zip`."""
    stem, dot, suffix = str(path).rpartition(".")
    return f"{stem}{part.suffix}{dot}{suffix}"


def manifests(path: str | Path) -> Iterator[dict[str, Any]]:
    """Those of the parts of an archive that are finished or begun."""
    folder, name = str(path).rpartition("/")[::2] if remote.is_remote(path) else os.path.split(path)
    stem, _, suffix = name.rpartition(".")
    form = re.compile(rf"\.?{re.escape(stem)}(?:-\d+-of-\d+)?\.{re.escape(suffix)}(\.json|\.unfinished)")
    for name in sorted(remote.siblings(path)):
        if found := form.fullmatch(name):
            file = f"{folder}/{name}" if folder else name
            file = file if found[1] == ".json" else f"{file}/{MANIFEST}"
            if remote.exists(file):
                yield _manifest_in(remote.read(file), file)


class Archive:
    """One part's images in a file, with `FILE.json` beside it: what made them, and where in the file each lies.

    Images are appended in order to an unfinished file, and noted in a journal every two seconds: what came after the
    last note is all that a kill loses (of a remote archive, the whole part: it is built on this machine). The file
    appears at its place when it is whole.

    Args:
      path: ends in `.zip` or `.tar`; a URL or a local path.
      pictures: names, labels and form of the images.
      manifest: JSON data that says how the images are made. An archive is continued if its own is identical.
      part: the images of this part.
      overwrite: start anew over another manifest.

    Raises InputError if there is an archive of another manifest, naming the first difference, or one that divides the
    work into another number of parts.
    """

    def __init__(
        self,
        path: str | Path,
        pictures: Pictures,
        manifest: Mapping[str, Any],
        *,
        part: Part,
        overwrite: bool = False,
    ):
        self.path, self._pictures, self._share = part_path(path, part), pictures, part.share(pictures.count)
        own = {"format": pictures.form, "images": pictures.count, "images_sha256": pictures.sha256, "part": str(part)}
        self._manifest = json.loads(json.dumps({**manifest, **own}))
        array = array_to_json(part.array)
        self._whole_manifest = {**self._manifest, **({ARRAY: array} if array is not None else {})}
        self._kind: Container = CONTAINERS[PurePosixPath(self.path).suffix.lower()]
        _check_siblings(path, part)
        if not remote.is_remote(path):
            atomic.output_path(self.path, overwrite=True)
        self.finished = self._is_finished(overwrite)
        self._overwrite = overwrite
        self._done = 0
        self._saving: list[Generator[int, None, None]] = []
        self._new: list[Member] = []
        self._noted = time.monotonic()

    def _is_finished(self, overwrite: bool) -> bool:
        if not remote.exists(self.path):
            return False
        index = f"{self.path}.json"
        if not remote.exists(index):
            if overwrite:
                return False
            raise InputError("exists", "pass --overwrite, or give the output another name", file=self.path)
        found = difference(_manifest_in(remote.read(index), index), self._manifest)
        if found and not overwrite:
            raise InputError(found, "choose another name, or pass --overwrite", file=self.path)
        return not found

    def missing(self, share: range) -> Iterator[int]:
        """Those of this part's images that are not in the file yet."""
        return iter(share[len(share) if self.finished else self._done :])

    def save(self, made: Iterable[tuple[int, np.ndarray]]) -> Iterator[int]:
        """Encodes in threads and appends in order; yields the index of every image that was."""
        waiting = self._pictures.waiting
        encoded = pool.in_order(self._encode, () if self.finished else made, waiting=waiting)
        self._saving.append(pool.in_order(self._append, encoded, waiting=waiting, workers=1))
        return self._saving[-1]

    def _encode(self, item: tuple[int, np.ndarray]) -> tuple[int, bytes]:
        index, image = item
        return index, self._pictures.encode(index, image, self._manifest)

    def _append(self, item: tuple[int, bytes]) -> int:
        index, data = item
        name = self._kind.name(index, self._pictures.form)
        label = self._pictures.label(index)
        member, packed = self._kind.pack(name, data, self._pictures.stem(index), label, self._file.tell())
        self._file.write(packed)
        self._new.append(member)
        if time.monotonic() - self._noted > _EVERY:
            self._note()
        return index

    def _note(self) -> None:
        """The journal never knows of an image that might not be on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._journal.write("".join(json.dumps(member) + "\n" for member in self._new).encode())
        self._journal.flush()
        self._new, self._noted = [], time.monotonic()

    @contextlib.contextmanager
    def opened(self) -> Iterator["Archive"]:
        """Goes on where a killed run stopped; puts the file in its place when the block ends without an error."""
        if self.finished:
            remote.clear_unfinished(self.path)  # of a run that was killed when all was in its place
            yield self
            return
        with remote.unfinished(self.path, keep=True) as folder:
            self._claim(folder)
            with open(folder / "journal", "ab+") as self._journal, open(folder / "images", "ab+") as self._file:
                self._done = _recover(self._journal, self._file)
                try:
                    yield self
                finally:
                    for saving in self._saving:  # nothing may be appended after the last note
                        saving.close()
                    self._note()
                self._finish(folder)
            self._publish(folder)

    def _publish(self, folder: Path) -> None:
        """The images last: where they are, all is. Over others, first of all: no index is ever beside other images."""
        index = f"{self.path}.json"
        pieces = [(folder / "index", index), (folder / "images", self.path)]
        if remote.exists(self.path):
            remote.remove(index)
            pieces.reverse()
        for piece, place in pieces:
            remote.publish(piece, place)

    def _claim(self, folder: Path) -> None:
        description = folder / MANIFEST
        if description.exists():
            found = difference(_manifest_in(description.read_bytes(), self.path), self._manifest)
            if found and not self._overwrite:
                what = f"its unfinished form was {found}"
                raise InputError(what, "choose another name, or pass --overwrite", file=self.path)
            for leftover in folder.iterdir() if found else ():
                leftover.unlink()
        with atomic.new_file(description, overwrite=True) as file:
            file.write(json.dumps(self._whole_manifest).encode())

    def _finish(self, folder: Path) -> None:
        """Writes the ending and the index."""
        for piece in self._kind.ending(_members(self._journal), self._file.tell()):
            self._file.write(piece)
        with open(folder / "index", "w") as file:
            file.write(json.dumps({"made_by": self._whole_manifest})[:-1] + ', "files": {')
            for i, member in enumerate(_members(self._journal)):
                file.write(f'{"," if i else ""}\n"{member.name}": [{member.start}, {member.size}]')
            file.write("\n}}\n")


def _check_siblings(path: str | Path, part: Part) -> None:
    """Images are numbered through all parts; files of two divisions side by side would hold them twice."""
    stem, _, suffix = PurePosixPath(str(path)).name.rpartition(".")
    form = re.compile(rf"\.?{re.escape(stem)}(?:-\d+-of-(\d+))?\.{re.escape(suffix)}(?:\.unfinished)?")
    for name in sorted(remote.siblings(path)):
        found = form.fullmatch(name)
        if found and int(found[1] or 1) != part.count:
            what = f"{name} is there: the work was divided into {found[1] or 1}, not {part.count}"
            raise InputError(what, "use the same number of parts, or another name", file=path)


def _manifest_in(text: bytes, file: str) -> dict[str, Any]:
    try:
        found = inputs.parsed(text, inputs.Budget(len(text)))
        found = found.get("made_by", found)
        if type(found) is not dict:
            raise ValueError("no table")
        return found
    except (ValueError, AttributeError, InputError) as error:
        raise InputError("is damaged", "remove it, and the archive beside it", file=file) from error


def _members(journal: Any) -> Iterator[Member]:
    journal.seek(0)
    for line in journal:
        yield Member(*json.loads(line))


def _recover(journal: Any, file: Any) -> int:
    """Cuts both back to the last image that both have whole; returns how many there are."""
    length = file.seek(0, os.SEEK_END)
    count = noted = end = 0
    journal.seek(0)
    for line in journal:
        try:
            member = Member(*json.loads(line))
        except (ValueError, TypeError):
            break  # cut short by a kill
        if not line.endswith(b"\n") or member.end > length:
            break
        count, noted, end = count + 1, noted + len(line), member.end
    journal.truncate(noted)
    file.truncate(end)
    file.seek(0, os.SEEK_END)
    journal.seek(0, os.SEEK_END)
    return count
