"""Checkpoint folders and training runs in object stores, copied into the user's cache."""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

from stylegan_jax.errors import InputError
from stylegan_jax.storage import remote, rundir
from stylegan_jax.storage.downloads import modelcache
from stylegan_jax.storage.downloads.addresses import Address
from stylegan_jax.storage.downloads.modelcache import Check, Record
from stylegan_jax.storage.downloads.transfers import in_store


def fetch(address: Address, check: Check) -> Path:
    """The local copy of a file or folder behind fsspec; of a training run, of its latest snapshot.

    What is here is used while the store cannot be asked. Raises InputError and OSError as `modelcache.fetch`.
    """
    with modelcache.naming(address):
        system, place = remote.file_system(address.url)
        try:
            found = _files(system, place)
        except InputError:  # not to be asked: what is here, if anything is
            found = None
        if not found:
            return modelcache.fetch(address, check)
        if rundir.MANIFEST in found:
            snapshot = rundir.newest(found)
            if snapshot is None:
                raise InputError("this training run has made no snapshot yet", "wait for the first, or train on")
            return modelcache.fetch(Address(address.typed, f"{address.url.rstrip('/')}/{snapshot}"), check)
        return _folder(address, system, place, found)


def _files(system: Any, place: str) -> dict[str, dict[str, Any]]:
    """The files below a folder with the store's facts of each; nothing where it is a file or is not there."""
    if not in_store(lambda: system.isdir(place)):
        return {}
    root = system._strip_protocol(place).rstrip("/")
    found = in_store(lambda: system.find(root, detail=True))
    return {name[len(root) + 1 :]: facts for name, facts in found.items()}


def _folder(address: Address, system: Any, place: str, found: dict[str, dict[str, Any]]) -> Path:
    facts = [f"{name} {info}" for name, info in sorted(found.items())]
    version = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    kept = modelcache.root() / address.key

    def copied(whole: Record | None) -> Path:
        target = kept / address.file_name
        if whole is not None and whole.version == version:
            return target
        partial = kept / f"{address.file_name}.unfinished"
        shutil.rmtree(partial, ignore_errors=True)
        with remote.reaching(address.url):
            system.get(place, str(partial), recursive=True)
        record = Record(address=address.shown, name=target.name, version=version, fetched=time.time())
        modelcache.forget(kept)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)
        modelcache.remember(kept, record, target)
        return target

    with modelcache.turn(kept, address):
        kept.mkdir(exist_ok=True)
        record = modelcache.read_record(kept / modelcache.RECORD)
        return copied(None) if record is None else modelcache.renewed(address, kept, record, copied)
