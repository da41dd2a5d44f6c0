"""The command `models`: which models there are by name, which were downloaded, and clearing those."""

import time
from pathlib import Path
from typing import Annotated

import tyro

from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses, modelcache
from stylegan_jax.storage.downloads.modelcache import Entry
from stylegan_jax.storage.downloads.public import LICENCES, PUBLIC
from stylegan_jax.storage.shipped import shipped_models


def models(
    *,
    clear: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME|ADDRESS|all")] = (),
) -> None:
    """Lists the models that have names, and those that were downloaded and are kept in the cache.

    stylegan-jax models

    stylegan-jax models --clear ffhq-1024-f https://example.org/toon.pkl

    Args:
      clear: deletes downloads, by public name or by address; all of them: all.
    """
    found = modelcache.entries()
    if clear:
        freed = 0
        for entry in _chosen(clear, found):
            modelcache.clear(entry)
            print(f"cleared {entry.record.address}")
            freed += entry.size
        print(f"{modelcache.root()}: {_size(freed)} freed")
        return
    print("\n".join([*_shipped(), "", *_public(found), "", *_downloaded(found)]))
    print(f"{modelcache.root()}: {_size(sum(entry.size for entry in found))}")


def _chosen(named: tuple[str, ...], found: list[Entry]) -> list[Entry]:
    """The entries of the cache that are meant, each once; InputError for what is not there."""
    if "all" in named:
        return found
    chosen: dict[Path, Entry] = {}
    for name in named:
        address = PUBLIC[name].address if name in PUBLIC else name
        meant = addresses.find(address)
        fitting = [each for each in found if meant is not None and _is_of(each, meant)]
        if not fitting:
            remedy = "stylegan-jax models lists what was"
            raise InputError("nothing of it was downloaded", remedy, file=f"--clear {name}")
        chosen |= {each.folder: each for each in fitting}
    return list(chosen.values())


def _is_of(entry: Entry, address: addresses.Address) -> bool:
    return entry.folder.name == address.key or entry.record.address == address.shown


def _shipped() -> list[str]:
    return ["with the package:", *(f"  {name}" for name in shipped_models())]


def _public(found: list[Entry]) -> list[str]:
    here = {entry.folder.name for entry in found if entry.whole}
    lines = ["public, downloaded when first used:"]
    for name, model in PUBLIC.items():
        address = addresses.Address(name, model.address)
        facts = f"{model.resolution:>5}  {model.configuration:<9} {model.licence:<12}"
        lines.append(f"  {name:<26}{facts} {model.what}{' (here)' if address.key in here else ''}")
    return [*lines, *(f"  licence {name}: {link} (non-commercial)" for name, link in LICENCES.items())]


def _downloaded(found: list[Entry]) -> list[str]:
    lines = [_line(entry) for entry in found]
    return ["downloaded:", *lines] if lines else ["nothing was downloaded yet"]


def _line(entry: Entry) -> str:
    record = entry.record
    if not entry.whole:
        of = f" of {_size(record.size)}" if record.size else ""
        return f"  {record.address}  unfinished: {_size(entry.size)}{of}"
    day = time.strftime("%Y-%m-%d", time.localtime(record.fetched))
    return f"  {record.address}  {_size(entry.size)}  sha256 {str(record.sha256)[:12]}  {day}"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
