"""Cases of outputs and their places, of our own files, of the system."""

import os
import shutil
from pathlib import Path
from unittest import mock

import filelock
import jax
import jax.numpy as jnp

from stylegan_jax.commands import cli
from stylegan_jax.config import ModelConfig
from stylegan_jax.pictures import video
from stylegan_jax.storage import checkpoint, remote, rundir, safetensors
from stylegan_jax.storage.downloads import modelcache
from stylegan_jax.train.official import official
from stylegan_jax.train.saved import Checkpoints
from stylegan_jax.train.state import initial_state
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.cases_train import EVERY, TRAIN, begun, labelled
from tests.commands.remedies.steps import both, file, removed

ATOMIC, CHECKPOINT = "stylegan_jax/storage/atomic.py", "stylegan_jax/storage/checkpoint.py"
MANIFEST = "stylegan_jax/storage/manifest.py"
OVERWRITE = "pass --overwrite, or give the output another name"
SUFFIX = "use {}, or no suffix"
BLEND = "ffhq.safetensors toon.safetensors --swap 8 --seeds 0 --out"
_PLACES = [
    Case(
        ATOMIC,
        "give the output another name",
        "convert",
        "ffhq.safetensors x.safetensors --overwrite",
        lambda: os.mkdir("x.safetensors"),
    ),
    Case(ATOMIC, "give the output another name", "convert", "ffhq.safetensors photos --overwrite"),
    Case(
        ATOMIC,
        "move it away, or give the output another name",
        "convert",
        "toon.safetensors ours --overwrite",
        file("ours/notes"),
    ),
    Case(
        ATOMIC,
        "move it away, or give the output another name",
        "convert",
        "toon.safetensors ours --overwrite",
        file("ours/notes"),
        removed("ours/notes"),
    ),
    Case(ATOMIC, "name a path here", "convert", "ffhq.safetensors gs://b/x.safetensors"),
    Case(ATOMIC, OVERWRITE, "convert", "ffhq.safetensors toon.safetensors"),
    Case(ATOMIC, OVERWRITE, "blend", f"{BLEND} x.png", file("x.png")),
    Case(ATOMIC, OVERWRITE, "sample", "ffhq.safetensors --seeds 0 --out x.png", file("x.png")),
    Case(ATOMIC, OVERWRITE, "diagnose", "ffhq.safetensors toon.safetensors --out x.png", file("x.png")),
    Case(ATOMIC, OVERWRITE, "figures", "strip ffhq.safetensors toon.safetensors --seeds 0 --out x.png", file("x.png")),
    Case(
        ATOMIC,
        OVERWRITE,
        "film",
        "ffhq.safetensors toon.safetensors --swap 4..8 --seeds 0 --seconds 0.1 --fps 10 --size 16 --out x.gif",
        file("x.gif"),
    ),
    Case(ATOMIC, "make {} first", "convert", "ffhq.safetensors deep/x.safetensors", follow=lambda: os.mkdir("deep")),
    Case(ATOMIC, SUFFIX, "convert", "ffhq.safetensors x.h5"),
    Case(ATOMIC, SUFFIX, "blend", f"{BLEND} x.h5"),
    Case(ATOMIC, SUFFIX, "sample", "ffhq.safetensors --seeds 0 --out faces.bmp"),
    Case(
        "stylegan_jax/pictures/video.py",
        "python -m pip install av, or give the film the suffix .webp",
        lambda: _film(".mp4"),
        follow=lambda: _film(".webp"),
    ),
]


def _film(suffix):
    """Whether there can be a film where PyAV is not installed."""
    with mock.patch("importlib.util.find_spec", return_value=None):
        video.check_suffix(suffix)


DAMAGED = "convert or download it again"
CONVERT = "pass it through python -m convert first"


def converted(name):
    """A foreign file that went through `convert`."""
    import convert

    convert.write(convert.read(name), "again.safetensors")
    return checkpoint.load("again.safetensors")


def flipped(name, position):
    """A step that damages a byte."""

    def build():
        data = bytearray(Path(name).read_bytes())
        data[position] ^= 1
        Path(name).write_bytes(data)

    return build


def _shortened():
    """A file that ends while it is read."""
    path = Path("ffhq.safetensors")
    header = safetensors.read_header(path)
    os.truncate(path, path.stat().st_size - 100)
    safetensors.read(path, header, header.entries)


def _read_again():
    path = Path("toon.safetensors")
    header = safetensors.read_header(path)
    safetensors.read(path, header, header.entries)


def _forbidden():
    """A checkpoint whose arrays the system does not let us read."""
    with mock.patch.object(checkpoint, "_stored", side_effect=PermissionError(13, "Permission denied")):
        checkpoint.load("ours")


def _newer():
    """Our own file, of a version that is not known here."""
    path = Path("ours/model.json")
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 99'))


_FILES = [
    Case(CHECKPOINT, CONVERT, lambda: checkpoint.load("official.pkl"), follow=lambda: converted("official.pkl")),
    Case(
        CHECKPOINT,
        DAMAGED,
        "convert",
        "ffhq.safetensors x.safetensors",
        flipped("ffhq.safetensors", -5),
        lambda: shutil.copy("toon.safetensors", "ffhq.safetensors"),
    ),
    Case(MANIFEST, "{}", "convert", "ours x.safetensors", file("ours/model.json", b"{}"), HANDS),
    Case(
        MANIFEST,
        DAMAGED,
        "convert",
        "ours x.safetensors",
        file("ours/weights/state/_METADATA", b"{}"),
        HANDS,
    ),
    Case(CHECKPOINT, "{}", lambda: _forbidden(), follow=lambda: checkpoint.load("ours")),
    Case(MANIFEST, "update stylegan-jax", "convert", "ours x.safetensors", _newer, HANDS),
    Case(
        "stylegan_jax/config.py",
        "update stylegan-jax: a newer version may read it",
        lambda: ModelConfig.from_json({"kind": "stylegan9", "generator": {}}),
        follow=HANDS,
    ),
    Case(
        "stylegan_jax/storage/safetensors.py",
        "download or convert it again",
        "convert",
        "ffhq.safetensors x.safetensors",
        lambda: os.truncate("ffhq.safetensors", 50000),
        lambda: shutil.copy("toon.safetensors", "ffhq.safetensors"),
    ),
    Case("stylegan_jax/storage/safetensors.py", "try again", _shortened, follow=_read_again),
]


def _turn(path, *, twice):
    """The turn of a process on an output, while another has it or not."""
    with remote.unfinished(path, keep=False):
        if twice:
            _turn(path, twice=False)


def _locked(path, *, twice):
    with rundir.lock(path):
        if twice:
            _locked(path, twice=False)


def _told():
    with remote.reaching("gs://b/x"):
        raise RuntimeError("no credentials")


def _cleared(*, busy):
    """A download is cleared while somebody fetches it, or not."""
    folder = Path("cache/abc")
    folder.mkdir(parents=True, exist_ok=True)
    entry = modelcache.Entry(folder, modelcache.Record(address="https://h/x.pkl", name="x.pkl"), 0, True)
    lock = filelock.FileLock("cache/abc.lock", thread_local=False)
    if busy:
        with lock:
            modelcache.clear(entry)
    modelcache.clear(entry)


def _of_another_shape():
    """A checkpoint of other networks in the folder of the run."""
    small = {"channel_max": 4, "z_dim": 8, "w_dim": 8, "mapping_layers": 1, "mbstd_group_size": 2}
    config = official("auto", {"batch": 8, **small}, resolution=8)
    shapes = jax.eval_shape(lambda: initial_state(config))
    kept = Checkpoints(Path("run/checkpoints"), 2)
    kept.save(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes))
    kept.wait()


def _no_backend():
    with mock.patch.dict(os.environ, JAX_PLATFORMS="cuda"):
        error = cli._missing_backend(RuntimeError("Unable to initialize backend 'cuda': no device"))
    if error is not None:
        raise error


_SYSTEM = [
    Case(
        "stylegan_jax/storage/remote.py",
        "wait for it, or give each its own --part",
        lambda: _turn("faces", twice=True),
        follow=lambda: [_turn("faces", twice=False), _turn("faces-0-of-2", twice=False)],
    ),
    Case(
        "stylegan_jax/storage/rundir.py",
        "wait for it, or give the run another folder",
        lambda: _locked("run", twice=True),
        follow=lambda: [_locked("run", twice=False), _locked("another", twice=False)],
    ),
    Case("stylegan_jax/storage/remote.py", "check the URL and your credentials", _told, follow=HANDS),
    Case(
        "stylegan_jax/storage/downloads/modelcache.py",
        "wait for that, then clear it",
        lambda: _cleared(busy=True),
        follow=lambda: _cleared(busy=False),
    ),
    Case(
        "stylegan_jax/train/saved.py", "give the run another folder", "train", TRAIN, both(begun(), _of_another_shape)
    ),
    Case(
        "stylegan_jax/train/data/sources.py",
        "repair or remove it",
        "train",
        f"{TRAIN} --labels json",
        both(file("photos/dataset.json"), lambda: os.truncate("photos/dataset.json", (1 << 28) + 1)),
        labelled(EVERY),
    ),
    Case("stylegan_jax/commands/cli.py", "{}unset JAX_PLATFORMS", _no_backend, follow=HANDS),
]

CASES = [*_PLACES, *_FILES, *_SYSTEM]
