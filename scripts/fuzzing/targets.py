"""What is fuzzed: for each kind of file how a mutant is made and by what it is read."""

import io
import json
import random
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import convert
from convert import assembly, reading, ws
from convert.pickles import torch_file, unpickle
from convert.pickles.allowed import Budget
from interp import recipes
from scripts.fuzzing import mutants, pickles
from stylegan_jax.errors import InputError
from stylegan_jax.projection import encoderfile
from stylegan_jax.storage import checkpoint, manifest
from tests.projection.encoders import untrained
from tests.tiny_models import tiny_model

_LARGEST = 8 << 20  # bytes of a golden that is worth damaging
_SMALL: dict[str, Any] = {
    "img_resolution": 4,
    "z_dim": 4,
    "w_dim": 4,
    "channel_max": 4,
    "mapping_layers": 1,
}  # and every kind of tensor
ROOT = Path(__file__).resolve().parent.parent.parent
Mutate = Callable[[random.Random, Path], None]


@dataclass(frozen=True)
class Target:
    """A kind of input: `mutate` writes a mutant to a path, `read` reads it, `intact` reads what is not damaged.

    Attributes:
      harmless: events that the reader may cause.
      audited: whether what the reader opens is noted: TensorStore and thread pools open files of their own.
    """

    mutate: Mutate
    read: Callable[[Path], object]
    intact: Callable[[Path], object]
    audited: bool = True
    harmless: tuple[str, ...] = ()


def safetensors(folder: Path, files: Sequence[Path]) -> Target:
    """Models: headers and manifests, ours with a right checksum."""
    path = checkpoint.save(tiny_model(**_SMALL), folder / "base.safetensors")
    return _described(path, "stylegan_jax", convert.read)


def encoder(folder: Path, files: Sequence[Path]) -> Target:
    """Encoders: headers and manifests, with a right checksum."""
    path = encoderfile.save(untrained(tiny_model(0)), folder / "base.safetensors")
    return _described(path, manifest.ENCODER, encoderfile.load)


def _described(path: Path, key: str, read: Callable[[Path], object]) -> Target:
    """A file of safetensors with a manifest under `key`."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]

    def mutate(rng: random.Random, at: Path) -> None:
        if rng.random() < 0.2:
            at.write_bytes(mutants.flipped(data, rng))
            return
        changed = json.loads(json.dumps(header))
        if rng.random() < 0.5:
            changed["__metadata__"][key] = _sealed(mutants.tree(json.loads(changed["__metadata__"][key]), rng))
        elif rng.random() < 0.5:
            del changed["__metadata__"]
        changed = changed if rng.random() < 0.5 else mutants.tree(changed, rng)
        text = mutants.text(changed)
        at.write_bytes(len(text).to_bytes(8, "little") + text + rest)

    return Target(mutate, read, lambda at: read(path))


def _sealed(own: Any) -> str:
    """A manifest with a right checksum, whatever it says."""
    if isinstance(own, dict):
        own.pop("crc32", None)
        own["crc32"] = zlib.crc32(json.dumps(own, sort_keys=True).encode())
    return mutants.text(own).decode()


def orbax(folder: Path, files: Sequence[Path]) -> Target:
    """Checkpoint folders, their manifest made to agree with what was changed."""
    base = checkpoint.save(tiny_model(**_SMALL), folder / "base")

    def mutate(rng: random.Random, at: Path) -> None:
        shutil.rmtree(at, ignore_errors=True)
        shutil.copytree(base, at)
        parts = sorted(file for file in at.rglob("*") if file.is_file() and file.name != manifest.NAME)
        chosen, action = rng.choice(parts), rng.choice(("flip", "json", "json", "drop", "link", "stranger", "own"))
        if action == "flip":
            chosen.write_bytes(mutants.flipped(chosen.read_bytes(), rng))
        elif action == "json":
            chosen = rng.choice([file for file in parts if file.name.startswith("_")])
            chosen.write_bytes(mutants.text(mutants.tree(json.loads(chosen.read_text()), rng)))
        elif action in ("drop", "link"):
            chosen.unlink()
            if action == "link":
                chosen.symlink_to(rng.choice(("/etc/passwd", "/dev/zero", "nowhere", base / manifest.NAME)))
        elif action == "stranger":
            (chosen.parent / "stranger").write_bytes(b"1")
        own = json.loads((at / manifest.NAME).read_text())
        if rng.random() < 0.9:
            own["files"] = manifest.file_sums(at) if action != "link" else own["files"]
        own = mutants.tree(own, rng) if action == "own" else own
        (at / manifest.NAME).write_text(_sealed(own))

    return Target(mutate, convert.read, lambda at: convert.read(base), audited=False)


def recipe(folder: Path, files: Sequence[Path]) -> Target:
    """YAML by hand, and notes in pictures."""
    models = [{"path": "a.pkl", "sha256": "0" * 64}, {"path": "b.pkl", "schedule": "swap=16"}]
    whole = {"models": models, "mapping": "base", "kinds": ["torgb=0.3"], "seeds": "0-7", "psi": 0.7}
    whole |= {"noise": "base", "w_avg": 0.5, "networks": "G_ema", "same_w": True, "w": ["a.npy"], "w_space": "w"}
    whole |= {"class_idx": [1, 0]}
    schedules = ("smooth=16:width=0.5:invert", "band=4-16", "alpha=4=1 16=0.6", "alpha-layers=1,0.5", "only=8,32")
    words = ("&a ", "*a", "<<: *a", "!!python/object/apply:os.system [id]", "!!binary ", "? ", "| ", "[", "{", "0x")
    words += ("\t", "1:1:1:1", "!!set ", "2001-01-01", "\ufeff", "%YAML 9", "---\n", "1e999", "~", "'", '"\\x1b"')

    def mutate(rng: random.Random, at: Path) -> None:
        models[1]["schedule"] = rng.choice(schedules)
        text = mutants.text(mutants.tree(whole, rng)).decode()
        if rng.random() < 0.3:
            at.write_bytes(mutants.png(f'{{"recipe": {text}}}'.encode(), rng))
            return
        for _ in range(rng.choice((0, 1, 3))):
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(words) * rng.choice((1, 1, 50)) + text[place:]
        data = text.encode(errors="surrogatepass")
        at.write_bytes(data if rng.random() < 0.8 else mutants.flipped(data, rng))

    def read(at: Path) -> object:
        found = recipes.read(at)
        return found.schedules, found.settings

    def intact(at: Path) -> object:
        at.write_text(json.dumps(whole))
        return read(at)

    return Target(mutate, read, intact)


def arrays(folder: Path, files: Sequence[Path]) -> Target:
    """Files of ws: npy and npz."""
    one = np.linspace(-1, 1, 3 * 4 * 8, dtype=np.float32).reshape(3, 4, 8)

    def mutate(rng: random.Random, at: Path) -> None:
        data = mutants.npy(one, rng)
        members = {"w.npy": data, "b.npy": data, "made_by.npy": data}
        packed = mutants.zipped(members, lambda name, old: mutants.npy(one, rng), rng)
        at.write_bytes(data if rng.random() < 0.3 else packed)

    def read(at: Path) -> object:
        return ws.read([str(at)], num_ws=4, w_dim=8)

    def intact(at: Path) -> object:
        np.savez(folder / "x.npz", w=one)
        np.save(folder / "x.npy", one)
        return read(folder / "x.npz"), read(folder / "x.npy")

    return Target(mutate, read, intact, harmless=("compile",))  # numpy reads its headers as literals of Python


def torch(folder: Path, files: Sequence[Path]) -> Target:
    """torch's zips and older streams, and the pickles of the official programs."""
    made = [] if files else _small_models(folder)
    sources = [*made, *([path.read_bytes() for path in files] or _golden_models())]
    places = [pickles.structure(data) for data in sources]
    members = [_members(data) for data in (*made, _small_tree()) if data[:2] == b"PK"]
    often = [20] * len(made) + [1] * (len(sources) - len(made))  # the small ones, which are read in a moment

    def mutate(rng: random.Random, at: Path) -> None:
        if rng.random() < 0.3:
            at.write_bytes(_damaged_zip(rng.choice(members), rng))
            return
        index = rng.choices(range(len(sources)), often)[0]
        at.write_bytes(pickles.damaged(sources[index], rng.choice(sources), places[index], rng))

    def read(at: Path) -> object:
        return _tree_of(at.read_bytes())

    def intact(at: Path) -> object:
        return [_tree_of(data) for data in sources]

    return Target(mutate, read, intact)


def _small_models(folder: Path) -> list[bytes]:
    """One model in every form that is written here: for both official programs, and rosinality's, a zip."""
    model = tiny_model(**_SMALL)
    made = [convert.write(model, folder / "a.pkl"), convert.write(model, folder / "b.pkl", sg3=True)]
    return [path.read_bytes() for path in (*made, convert.write(model, folder / "c.pt"))]


def _golden_models() -> list[bytes]:
    places = (ROOT / "tests" / "golden", ROOT.parent / "shared" / "golden")
    found = [path.read_bytes() for place in places for path in sorted(place.rglob("*.p[kt]*"))]
    return [data for data in found if len(data) < _LARGEST and _is_model(data)]


def _small_tree() -> bytes:
    file = io.BytesIO()
    torch_file.save_zip(file, {"a": np.zeros((2, 3), np.float32), "b": [np.ones(4, np.float64)]})
    return file.getvalue()


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _damaged_zip(members: dict[str, bytes], rng: random.Random) -> bytes:
    """A zip whose checksums are right, so that what is in it is read: often its pickle is what is damaged."""
    name = next(name for name in members if name.endswith("data.pkl"))
    if rng.random() < 0.3:
        return mutants.zipped(members, lambda _, data: mutants.flipped(data, rng), rng)
    pickle = members[name]
    changed = {**members, name: pickles.damaged(pickle, pickle, list(range(len(pickle))), rng)}
    return mutants.zipped(changed, lambda _, data: data, rng)


def _is_model(data: bytes) -> bool:
    try:
        _tree_of(data)
    except InputError:
        return False
    return True


def _tree_of(data: bytes) -> object:
    budget = Budget(len(data))
    file = io.BytesIO(data) if data[:2] == b"PK" else None
    found = reading.recognise(unpickle.load(memoryview(data), file, budget), budget=budget)
    return assembly.assemble(found, None, file_size=len(data))


def training(folder: Path, files: Sequence[Path]) -> Target:
    """Zips of images with labels."""
    from stylegan_jax.pictures import images
    from stylegan_jax.train.data.dataset import Dataset

    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    picture = images.encode_png(pixels)
    labels = {"labels": [[f"{i}.png", i % 2] for i in range(4)]}
    members = {**{f"{i}.png": picture for i in range(4)}, "dataset.json": json.dumps(labels).encode()}

    def change(rng: random.Random) -> Callable[[str, bytes], bytes]:
        def changed(name: str, data: bytes) -> bytes:
            if name.endswith(".json") and rng.random() < 0.8:
                return mutants.text(mutants.tree(labels, rng))
            return mutants.flipped(data, rng)

        return changed

    def mutate(rng: random.Random, at: Path) -> None:
        at.write_bytes(mutants.zipped(members, change(rng), rng))

    def read(at: Path) -> object:
        cache = folder / "cache"
        try:
            return Dataset.open(at, resolution=16, labels=True, cache=cache).summary
        finally:
            shutil.rmtree(cache, ignore_errors=True)
            cache.mkdir()

    def intact(at: Path) -> object:
        at.write_bytes(mutants.zipped(members, lambda name, data: data, random.Random(3)))
        return read(at)

    (folder / "cache").mkdir()
    return Target(mutate, read, intact, audited=False)


TARGETS: dict[str, tuple[str, Callable[[Path, Sequence[Path]], Target]]] = {
    "safetensors": ("x.safetensors", safetensors),
    "encoder": ("x.safetensors", encoder),
    "orbax": ("x", orbax),
    "recipe": ("x.yaml", recipe),
    "arrays": ("x.npz", arrays),
    "torch": ("x.pkl", torch),
    "training": ("x.zip", training),
}
"""What a mutant's file is called, and what makes the target in a folder of its own, of some files if there are any."""
