"""Models fetched from addresses, kept in the user's cache: whole or not at all, resumed, checked when used again."""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock

from stylegan_jax.errors import InputError, say
from stylegan_jax.storage import atomic, usercache
from stylegan_jax.storage.downloads import transfers
from stylegan_jax.storage.downloads.addresses import Address

_TRIES = 5
RECORD, _UNFINISHED = ".record.json", ".unfinished.json"  # no file has such a name: see `Address.file_name`

Check = Callable[[Path], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """What is remembered of a file in the cache.

    Attributes:
      address: without passwords.
      name: of the file.
      sha256: of its contents; None while it is unfinished.
      size: in bytes; None where the server does not say.
      version: what the server calls this state of the file.
      fetched: seconds since 1970.
    """

    address: str
    name: str
    sha256: str | None = None
    size: int | None = None
    version: str | None = None
    fetched: float = 0.0


def root() -> Path:
    """The folder of all fetched models; InputError where the user has no cache."""
    place = usercache.folder("models")
    if place is None:
        raise InputError("no place to keep what is downloaded", "set XDG_CACHE_HOME to a folder of yours")
    return place


def fetch(address: Address, check: Check = lambda file: None) -> Path:
    """The local copy of a remote file, fetched if it is not here or has changed there.

    What is here is used while its server cannot be asked. One process fetches while the others wait.

    Args:
      address: of the file.
      check: raises InputError for a file that is no model or not all of one; such a file is not kept.

    Raises:
      InputError: it cannot be had, or what is here was damaged.
      OSError: the disk is at fault.
    """
    with naming(address):
        folder = root() / address.key
        with turn(folder, address):
            folder.mkdir(exist_ok=True)
            if (record := read_record(folder / RECORD)) is None:
                return _fetched(address, folder, check)
            return renewed(address, folder, record, lambda whole: _fetched(address, folder, check, whole))


@contextlib.contextmanager
def naming(address: Address) -> Iterator[None]:
    """Errors inside name the address."""
    try:
        yield
    except InputError as error:
        error.file = address.shown
        raise


@contextlib.contextmanager
def turn(folder: Path, address: Address) -> Iterator[None]:
    """Keeps others off one entry of the cache; a killed holder's turn is over."""
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it has to do with the file's mere presence
            try:
                lock.acquire(timeout=2)
            except filelock.Timeout:
                say(f"waiting for another process that fetches {address.shown}")
                lock.acquire()
        yield
    finally:
        lock.release()


def read_record(file: Path) -> Record | None:
    """A record; None where there is no good one."""
    try:
        record = Record(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return record if isinstance(record.name, str) and Path(record.name).name == record.name else None


def _write_record(file: Path, record: Record) -> None:
    with atomic.new_file(file, overwrite=True) as out:
        out.write(json.dumps(dataclasses.asdict(record), indent=1).encode())


def renewed(address: Address, folder: Path, record: Record, fetch: Callable[[Record | None], Path]) -> Path:
    """What is here, or the new state where its server has another by now.

    Args:
      address: of it.
      folder: its place in the cache.
      record: what is remembered of it.
      fetch: asks the server, given the record if what is here is good.
    """
    place = folder / record.name
    good = sha256(place) == record.sha256
    try:
        return fetch(record if good else None)
    except InputError as error:
        if not good:
            what = f"its copy here is damaged, and a new one is not to be had: {error.what}"
            raise InputError(what, error.remedy) from error
        day = time.strftime("%Y-%m-%d", time.localtime(record.fetched))
        say(f"note: {address.shown}: {error.what}; the copy of {day} is used")
        return place


def sha256(place: Path) -> str | None:
    """Of a file's bytes, or of the names and hashes in a folder; None where nothing can be read."""
    try:
        if place.is_dir():
            files = sorted(file for file in place.rglob("*") if file.is_file())
            names = [f"{file.relative_to(place).as_posix()} {sha256(file)}" for file in files]
            return hashlib.sha256("\n".join(names).encode()).hexdigest()
        with open(place, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _fetched(address: Address, folder: Path, check: Check, whole: Record | None = None) -> Path:
    """The file, from its server; that of `whole`, which is here and good, if it is still the same there."""
    partial = folder / f"{address.file_name}.unfinished"
    for last in (False,) * (_TRIES - 1) + (True,):
        before = partial.stat().st_size if partial.exists() else 0
        try:
            record = _transferred(address, folder, partial, whole)
            break
        except transfers.Broken:
            after = partial.stat().st_size if partial.exists() else 0
            if last or after <= before:  # what does not get further this time will not the next
                raise
    if record is whole:
        return folder / record.name
    return _kept(folder, partial, record, check)


def _transferred(address: Address, folder: Path, partial: Path, whole: Record | None) -> Record:
    """Appends what is missing to the unfinished file; a record without a hash, or `whole` itself."""
    begun = read_record(folder / _UNFINISHED) if partial.exists() else None
    start = partial.stat().st_size if begun and begun.version else 0
    if begun and start and start == begun.size:  # a kill came between the last byte and the new name
        return begun
    version = begun.version if begun and start else whole.version if whole else None
    with transfers.opened(address, start, version) as reply:
        if whole is not None and (reply.same or _looks_same(reply, whole)):
            return whole
        record = Record(address=address.shown, name=address.file_name, size=reply.size, version=reply.version)
        if reply.start == 0:
            partial.unlink(missing_ok=True)
        _write_record(folder / _UNFINISHED, record)
        _append(partial, reply, address)
    return record


def _looks_same(reply: transfers.Reply, whole: Record) -> bool:
    """Whether a server that names no versions at least serves a file of the same size, as far as it says."""
    return reply.version is None and whole.version is None and reply.size in (None, whole.size)


def _append(partial: Path, reply: transfers.Reply, address: Address) -> None:
    from tqdm import tqdm

    size = "" if reply.size is None else f" ({reply.size / 1e6:,.1f} MB)"
    say(f"{'going on with' if reply.start else 'downloading'} {address.shown}{size}")
    bar: Any = tqdm(
        total=reply.size, initial=reply.start, unit="B", unit_scale=True, disable=None, delay=0.5, leave=False
    )
    try:
        with open(partial, "ab") as file, bar:
            for number, chunk in enumerate(reply.chunks):
                if number == 0 and reply.start == 0:
                    _refuse_page(chunk)
                file.write(chunk)
                file.flush()  # a kill loses nothing that came
                bar.update(len(chunk))
    except OSError as error:
        error.filename = error.filename or str(partial)
        raise
    if (got := partial.stat().st_size) != reply.size and reply.size is not None:
        raise transfers.Broken(f"ended after {got:,} of {reply.size:,} bytes", "run the same command again to go on")


def _refuse_page(start: bytes) -> None:
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        remedy = "open it in a browser, and take the address of the file itself"
        raise InputError("is a web page, not a model (login, quota, or the page around the file?)", remedy)


def _kept(folder: Path, partial: Path, record: Record, check: Check) -> Path:
    """Gives a finished file its name, if it is a model."""
    file = folder / record.name
    try:
        check(partial)
    except InputError:
        partial.unlink()
        (folder / _UNFINISHED).unlink(missing_ok=True)
        raise
    atomic.sync(partial)
    forget(folder)
    os.replace(partial, file)
    remember(folder, dataclasses.replace(record, size=file.stat().st_size, fetched=time.time()), file)
    (folder / _UNFINISHED).unlink(missing_ok=True)
    return file


def forget(folder: Path) -> None:
    """What lies in an entry of the cache is no longer believed: the first step of replacing it."""
    (folder / RECORD).unlink(missing_ok=True)


def remember(folder: Path, record: Record, place: Path) -> None:
    """Writes the record of what is complete, with its hash: the last step of fetching it."""
    _write_record(folder / RECORD, dataclasses.replace(record, sha256=sha256(place)))


@dataclasses.dataclass(frozen=True)
class Entry:
    """One address's place in the cache, and how many bytes lie there."""

    folder: Path
    record: Record
    size: int
    whole: bool


def entries() -> list[Entry]:
    """Everything in the cache, the unfinished too, by address."""
    found = []
    for folder in root().iterdir():
        whole, begun = (read_record(folder / name) for name in (RECORD, _UNFINISHED))
        if (record := whole or begun) is not None:
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            found.append(Entry(folder, record, size, whole is not None))
    return sorted(found, key=lambda entry: entry.record.address)


def clear(entry: Entry) -> None:
    """Deletes what is kept of an address; InputError while a process is fetching it."""
    lock = filelock.FileLock(entry.folder.with_name(f"{entry.folder.name}.lock"), thread_local=False)
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.folder)
    except filelock.Timeout as error:
        what = "another process is fetching it"
        raise InputError(what, "wait for that, then clear it", file=entry.record.address) from error
