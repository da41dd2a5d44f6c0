"""Cases of encoders: their training, their files, what starts from them."""

import json
from pathlib import Path

import numpy as np

from stylegan_jax.commands import encoders
from stylegan_jax.commands.descents import Descents
from stylegan_jax.commands.projected import Place
from stylegan_jax.commands.train_encoder import _photographs, train_encoder
from stylegan_jax.projection import encoderfile
from stylegan_jax.projection.schooling import Schooling, school
from stylegan_jax.storage import manifest, safetensors
from tests.commands.remedies.case import Case
from tests.projection.encoders import untrained
from tests.tiny_models import tiny_model

FILE, TRAINING, SCHOOL, COMMAND = (
    "stylegan_jax/projection/encoderfile.py",
    "stylegan_jax/commands/train_encoder.py",
    "stylegan_jax/projection/schooling.py",
    "stylegan_jax/commands/encoders.py",
)
ENCODER = "encoder.safetensors"


def saved(model=None):
    """Writes an encoder."""
    encoderfile.save(untrained(tiny_model(0) if model is None else model), ENCODER, overwrite=True)


def loaded():
    """Reads a good one."""
    saved()
    encoderfile.load(ENCODER)


def changed(**fields):
    """Reads one whose description has other fields."""
    saved()
    header = safetensors.read_header(Path(ENCODER))
    told = {**json.loads(header.metadata[manifest.ENCODER]), **fields}
    told.pop("crc32")
    told["crc32"] = manifest.own_crc32(told)
    leaves = safetensors.read(Path(ENCODER), header, header.entries)
    with open(ENCODER, "wb") as file:
        safetensors.write(file, leaves, {manifest.ENCODER: json.dumps(told)})
    encoderfile.load(ENCODER)


def found(path=None):
    """The encoder of a model."""
    if path is not None:
        saved()
    encoders.of_model(tiny_model(0), path)


def trained(size=16, **options):
    """A step of a training."""
    settings = Schooling(**{"kimg": 1e-3, "batch": 2, **options})
    settings.check()
    for _ in school(tiny_model(0, img_resolution=size), settings):
        pass


def checked(model):
    """An encoder of the first model, for `model`."""
    encoderfile.check_belongs(untrained(tiny_model(0)), model, ENCODER)


def not_a_number():
    """A training with a rate that no network survives."""
    trained(kimg=1, rate=1e30)


def begun(start):
    """Where a descent starts."""
    model = tiny_model(0)
    how = Descents(start=start)
    how._start(model, list(np.zeros((1, 16, 16, 3), np.uint8)), how.settings())


CASES = [
    Case(FILE, "name a file that train-encoder wrote", lambda: encoderfile.load("ffhq.safetensors"), follow=loaded),
    Case(FILE, "name a file that train-encoder wrote", lambda: encoderfile.load("w.npy"), follow=loaded),
    Case("stylegan_jax/storage/manifest.py", "{}", lambda: changed(model_sha256=7), follow=loaded),
    Case(FILE, "train it again, or take another copy", lambda: changed(tensors={}), follow=loaded),
    Case(
        FILE,
        "train one for this model: python -m stylegan_jax train-encoder",
        lambda: checked(tiny_model(1)),
        follow=lambda: checked(tiny_model(0)),
    ),
    Case(
        "stylegan_jax/storage/checkpoint.py",
        "name the model that it was trained for",
        "sample",
        f"{ENCODER} --seeds 0 --out faces",
        saved,
        "ffhq.safetensors --seeds 0 --out faces",
    ),
    Case(COMMAND, "train one: {}, and name it: --encoder encoder.safetensors", found, follow=lambda: found(ENCODER)),
    Case(
        "stylegan_jax/commands/descents.py",
        "use mean, encoder, encoder=FILE or a file of ws",
        lambda: begun("middle"),
        follow=lambda: begun("mean"),
    ),
    Case(
        "stylegan_jax/commands/descents.py",
        "leave {} out, or pass --start encoder in place of --fast",
        lambda: Descents(steps="9").check_unused(tuning=False),
        follow=lambda: [saved(), begun(f"encoder={ENCODER}")],
    ),
    Case(
        "stylegan_jax/commands/projected.py",
        "end it in .npz",
        lambda: Place("w.txt", [], overwrite=False),
        follow=lambda: Place("w.npz", [], overwrite=False),
    ),
    Case(
        TRAINING,
        "leave --mirror out, or pass --images FOLDER",
        lambda: _photographs(None, tiny_model(0), mirror=True),
        follow=lambda: [
            _photographs(None, tiny_model(0), mirror=False),
            _photographs("photos", tiny_model(0), mirror=True),
        ],
    ),
    Case(
        TRAINING,
        "end it in {}",
        lambda: train_encoder("ffhq.safetensors", out="x.txt"),
        follow=lambda: train_encoder("ffhq.safetensors", out="x.safetensors", kimg="0.001", batch="2"),
        slow=True,
    ),
    Case(SCHOOL, "use --batch {}", lambda: Schooling(batch=5).check(), follow=lambda: Schooling(batch=4).check()),
    Case(SCHOOL, "use a larger model", lambda: trained(8), follow=trained, slow=True),
    Case(SCHOOL, "use a lower --lr", not_a_number, follow=trained, slow=True),
]
