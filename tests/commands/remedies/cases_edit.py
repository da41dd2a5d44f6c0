"""Cases of directions and edits, and of fine-tunes that train their blends."""

import dataclasses

import numpy as np
from PIL import Image

from stylegan_jax.editing import directionfile, finding
from stylegan_jax.editing.directions import Directions
from stylegan_jax.pictures import latentfiles
from stylegan_jax.sampler import sample
from stylegan_jax.train.official import official
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.steps import array, both, model
from tests.tiny_models import tiny_model

_EDIT, _DIRECTIONS, _EDITS = "interp/edit.py", "stylegan_jax/editing/directions.py", "stylegan_jax/editing/edits.py"
_FILE, _FINDING = "stylegan_jax/editing/directionfile.py", "stylegan_jax/editing/finding.py"
_SOURCE, _CHANNELS = "stylegan_jax/commands/sources.py", "stylegan_jax/editing/channels.py"
FIND = "ffhq.safetensors --find sefa --count 2 --out d.npz"
SAMPLE = "ffhq.safetensors --seeds 0 --out x.png"
ALONG = f"{SAMPLE} --directions found.npz"
STYLES = "ffhq.safetensors --find styles --count 2 --seeds 0 --out d.npz"
MASKED = f"{STYLES} --mask mask.png"
AGE = "ffhq.safetensors --directions age.npy --directions-space z --out d.npz"


def found(name="found.npz", **fields):
    """A step that writes directions of a tiny model."""

    def build():
        directionfile.write(name, finding.sefa(tiny_model(0, **fields), 2))

    return build


def ws_files():
    """Writes two files of ws, as project does."""
    for seed, name in enumerate(("ws.npz", "others.npz")):
        ws = np.random.RandomState(seed).standard_normal((2, 6, 16)).astype(np.float32)
        latentfiles.write_ws(name, [ws], ws.shape, {})


def damaged():
    """Writes a file of directions whose scales are no numbers."""
    whole = finding.sefa(tiny_model(0), 2)
    directionfile.write("found.npz", dataclasses.replace(whole, scales=np.full(2, np.nan, np.float32)))


def boundaries(*shape):
    """A step that writes another program's vectors."""

    def build():
        np.save("age.npy", np.ones(shape, np.float32))

    return build


def in_z(width=16):
    """A step that writes a direction in z."""
    one, vector = np.ones((1, 1), bool), np.ones((1, 1, width), np.float32)
    made = Directions(("age",), vector, np.ones(1, np.float32), one, {"space": "z"})
    return lambda: directionfile.write("z.npz", made)


def mask(*rows):
    """A step that paints a picture of a region."""
    return lambda: Image.fromarray(np.array(rows, np.uint8)).save("mask.png")


_HALF = mask([255, 255], [0, 0])


def _shifted(count):
    """An edit of so many style channels."""
    return lambda: list(sample(tiny_model(0), [0], shift=np.ones(count, np.float32)))


def _blends(**changes):
    return official("auto", {"batch": 4, "mbstd_group_size": 4, **changes}, resolution=16)


BLENDED = "photos --out run --batch 8 --devices 1 --augment none --score-images 0 --mbstd-group-size 2 --blend-swap 8"
_SOURCES = "pass one of --find sefa, --find pca, --find styles, --from-latents A B, --directions FILE"
_TWO_ZS = "ffhq.safetensors z.safetensors --swap 8 --seeds 0 --directions z.npz --edit age=1 --out x.png"
_WHICH = "pass --find styles --mask PICTURE, or --find styles --from-latents A B"
CASES = [
    Case(_SOURCE, _SOURCES, "edit", "ffhq.safetensors --out d.npz", follow=FIND),
    Case(_SOURCE, _SOURCES, "edit", f"{FIND} --directions found.npz", found(), follow=FIND),
    Case(_SOURCE, _WHICH, "edit", STYLES, _HALF, follow=MASKED),
    Case(_SOURCE, _WHICH, "edit", f"{FIND} --mask mask.png", _HALF, follow=MASKED),
    Case(_SOURCE, "pass one of them", "edit", f"{MASKED} --from-latents w.npy w.npy", _HALF, follow=MASKED),
    Case(_SOURCE, "leave --layers out", "edit", f"{MASKED} --layers 0-3", _HALF, follow=MASKED),
    Case(
        _SOURCE,
        "pass --directions FILE",
        "edit",
        f"{FIND} --directions-space z",
        boundaries(1, 16),
        follow=AGE,
    ),
    Case(
        _SOURCE,
        "leave --directions-space out",
        "edit",
        "ffhq.safetensors --directions found.npz --directions-space z --out d.npz",
        found(),
        follow="ffhq.safetensors --directions found.npz --out d.npz",
    ),
    Case(
        "stylegan_jax/storage/atomic.py",
        "give the output another name",
        "edit",
        "ffhq.safetensors --directions found.npz --out found.npz --overwrite",
        found(),
        follow="ffhq.safetensors --directions found.npz --out d.npz",
    ),
    Case(
        "stylegan_jax/editing/regions.py",
        "paint the region white on black",
        "edit",
        MASKED,
        mask([0, 0], [0, 0]),
        follow=(_HALF, MASKED),
    ),
    Case(
        _CHANNELS,
        "use sets that differ",
        "edit",
        f"{STYLES} --from-latents one.npy one.npy",
        array("one.npy", np.ones((1, 16), np.float32)),
        follow=HANDS,
    ),
    Case(
        _CHANNELS,
        "use {}",
        "sample",
        f"{SAMPLE} --style b32.conv1:3=2",
        follow=f"{SAMPLE} --style b16.conv1:3=2",
    ),
    Case(
        _CHANNELS,
        "use {}:0 to {}",
        "sample",
        f"{SAMPLE} --style b8.conv1:8=2",
        follow=f"{SAMPLE} --style b8.conv1:7=2",
    ),
    Case(
        _DIRECTIONS,
        "write LAYER:CHANNEL=STRENGTH, such as b16.conv1:7=5",
        "sample",
        f"{SAMPLE} --style b16.conv1=5",
        follow=f"{SAMPLE} --style b16.conv1:7=5",
    ),
    Case(
        _DIRECTIONS,
        "leave them out",
        "sample",
        f"{SAMPLE} --directions z.npz --edit age=1:0-3",
        in_z(),
        follow=f"{SAMPLE} --directions z.npz --edit age=1",
    ),
    Case(
        _EDITS,
        "show seeds",
        "sample",
        "ffhq.safetensors --w w.npy --out x.png --directions z.npz --edit age=1",
        in_z(),
        follow=f"{SAMPLE} --directions z.npz --edit age=1",
    ),
    Case(
        "stylegan_jax/sampler/run.py",
        "use models of one z_dim, or show all of them one w",
        "blend",
        _TWO_ZS,
        both(in_z(), model("z.safetensors", z_dim=8)),
        follow=f"{_TWO_ZS} --same-w",
    ),
    Case(
        "stylegan_jax/sampler/stylespace.py",
        "use models whose layers are equally wide",
        _shifted(3),
        follow=_shifted(64),
    ),
    Case(_SOURCE, "name two files of ws", "edit", "ffhq.safetensors --from-latents w.npy", follow=HANDS),
    Case(
        _EDIT,
        "pass one --name NAME",
        "edit",
        "ffhq.safetensors --from-latents w.npy w.npy --name a --name b",
        follow=HANDS,
    ),
    Case(_EDIT, "write OLD=NEW, such as sefa0=age", "edit", f"{FIND} --name age", follow=f"{FIND} --name sefa0=age"),
    Case(
        _EDIT,
        "give each its own",
        "edit",
        f"{FIND} --name sefa0=age --name sefa1=age",
        follow=f"{FIND} --name sefa0=age --name sefa1=pose",
    ),
    Case(_EDIT, "name one", "edit", "ffhq.safetensors --find sefa --out d.png", follow=FIND),
    Case(_FINDING, "use 0 to {}", "edit", f"{FIND} --layers 0-6", follow=f"{FIND} --layers 0-5"),
    Case(_FINDING, "use 0 to {}", "edit", f"{FIND} --layers 5", follow=f"{FIND} --layers 0-4"),
    Case(
        _FINDING,
        "use sets that differ",
        "edit",
        "ffhq.safetensors --from-latents w.npy w.npy --out d.npz",
        follow=HANDS,
    ),
    Case(
        _DIRECTIONS,
        "write NAME=2.5, or NAME=2.5:0-3 for some layers",
        "sample",
        f"{ALONG} --edit sefa0",
        found(),
        follow=[f"{ALONG} --edit sefa0=2.5", f"{ALONG} --overwrite --edit sefa0=2.5:0-3"],
    ),
    Case(_DIRECTIONS, "use {}", "edit", f"{FIND} --name sefa7=age", follow=f"{FIND} --name sefa1=age"),
    Case(
        _DIRECTIONS,
        "use 0 to {}",
        "sample",
        f"{ALONG} --edit sefa0=1:6",
        found(),
        follow=f"{ALONG} --edit sefa0=1:0-5",
    ),
    Case(
        "stylegan_jax/commands/edits.py",
        "pass --edit NAME=2",
        "sample",
        ALONG,
        found(),
        follow=f"{ALONG} --edit sefa0=2",
    ),
    Case(
        _EDITS,
        "pass --directions FILE, or a file of one direction|use {}",
        "sample",
        f"{SAMPLE} --edit sefa0=2",
        found(),
        follow=f"{ALONG} --edit sefa0=2",
    ),
    Case(
        _EDITS,
        "pass --directions {} and name one: {}, …",
        "sample",
        f"{SAMPLE} --edit found.npz=2",
        found(),
        follow=f"{ALONG} --edit sefa1=2",
    ),
    Case(
        _FILE,
        "use the model they were found in, or a blend of it",
        "sample",
        f"{ALONG} --edit sefa0=2",
        found(img_resolution=8),
        follow=HANDS,
    ),
    Case(
        _FILE,
        "pass two such files as --from-latents",
        "edit",
        "ffhq.safetensors --directions ws.npz --out d.npz",
        ws_files,
        follow="ffhq.safetensors --from-latents ws.npz others.npz --out d.npz",
    ),
    Case(
        "convert/warrays.py",
        "pass it as --directions",
        "sample",
        "ffhq.safetensors --w found.npz:directions --out x.png",
        found(),
        follow=f"{ALONG} --edit sefa0=2",
    ),
    Case(_FILE, "find them again", "sample", f"{ALONG} --edit sefa0=2", damaged, follow=HANDS),
    Case(
        "convert/directions.py",
        "pass finite floats of shape [w_dim], [k, w_dim] or [num_ws, w_dim], in .npy, .npz or .pt",
        "sample",
        f"{SAMPLE} --edit age.npy=2",
        boundaries(3, 5),
        follow=(boundaries(1, 16), f"{SAMPLE} --edit age.npy=2"),
    ),
    Case(
        "convert/directions.py",
        "pass a file of those that are meant",
        "sample",
        f"{SAMPLE} --edit age.npy=2",
        boundaries(10_001, 16),
        follow=(boundaries(1, 16), f"{SAMPLE} --edit age.npy=2"),
    ),
    Case(
        "stylegan_jax/train/start.py",
        "pass --from MODEL",
        "train",
        f"{BLENDED} --resolution 16 --blend-share 0.3",
        follow=f"{BLENDED} --from whole.safetensors --blend-share 0.3",
    ),
    Case(
        "stylegan_jax/train/start.py",
        "name one of the same size and channels",
        "train",
        f"{BLENDED} --from whole.safetensors --blend-with eight.safetensors --blend-share 0.3",
        follow=f"{BLENDED} --from whole.safetensors --blend-with ffhq.safetensors --blend-share 0.3",
    ),
    Case(
        "stylegan_jax/train/config.py",
        "use --blend-share 0.3, or another of 0 to 1",
        lambda: _blends(blend_share=2.0, blend_swap=(8,)),
        follow=lambda: _blends(blend_share=0.3, blend_swap=(8,)),
    ),
    Case(
        "stylegan_jax/train/config.py",
        "use --blend-swap {}",
        lambda: _blends(blend_share=0.3, blend_swap=(24,)),
        follow=lambda: _blends(blend_share=0.3, blend_swap=(8,)),
    ),
]
