"""Cases of photographs: finding them, the points of their faces, projection."""

import dataclasses
import json
import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

import stylegan_jax as sj
from stylegan_jax.commands import photographs
from stylegan_jax.projection import detection, project
from stylegan_jax.projection.landmarks import Face, check
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.steps import both, file
from tests.projection.pictures import FACE, waves
from tests.tiny_models import tiny_model

TYPED = " ".join(f"{x},{y}" for x, y in FACE)


def photo(*names):
    """A step that takes photographs, and writes where their faces are."""

    def build():
        for name in names or ("me.png",):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(waves(300, 320)).save(name)
        points()()

    return build


def outputs(*names):
    """The files that photographs of these names become."""
    found = photographs.listed([f"{name}.png" for name in names])
    return photographs.outputs_of(found, names, ["{}.png", "{}-sheet.png"])


def points(value=None, name="points.json"):
    """A step that writes a file of points."""
    return lambda: Path(name).write_text(
        json.dumps({"me.png": FACE.tolist(), "b.png": FACE.tolist()} if value is None else value)
    )


ALIGN, PHOTOS, MARKS = (
    "stylegan_jax/commands/align.py",
    "stylegan_jax/commands/photographs.py",
    "stylegan_jax/projection/landmarks.py",
)
ME = "me.png --landmarks points.json --size 16 --out crops"
FORM = 'give each picture four points, as {"me.jpg": [[x, y], …]} or as a row me.jpg,x,y,x,y,x,y,x,y'
_COMMAND = [
    Case(
        ALIGN,
        "name a folder",
        "align",
        "me.png b.png --landmarks points.json --size 16 --out x.png",
        photo("me.png", "b.png"),
    ),
    Case(ALIGN, "name a folder", "align", ME, both(photo(), file("crops"))),
    Case(
        ALIGN,
        "pass --overwrite, or give another --out",
        "align",
        ME,
        both(photo(), file("crops/me.png")),
        [f"{ME} --overwrite", ME.replace("crops", "others")],
    ),
    Case(
        PHOTOS,
        "leave --landmarks and --faces out",
        "align",
        f"{ME} --no-align",
        photo(),
        "me.png --no-align --size 16 --out crops",
    ),
    Case(
        PHOTOS,
        "name a file",
        "align",
        f'me.png b.png --landmarks "{TYPED}" --size 16 --out crops',
        photo("me.png", "b.png"),
        "me.png b.png --landmarks points.json --size 16 --out crops",
    ),
    Case(
        PHOTOS,
        "name one, or a folder of them",
        lambda: photographs.listed(()),
        follow=lambda: photographs.listed(("photos",)),
    ),
    Case(
        PHOTOS,
        "rename one of them",
        "align",
        "me.png more/me.png --landmarks points.json --size 16 --out crops",
        photo("me.png", "more/me.png"),
        "me.png --landmarks points.json --size 16 --out crops",
    ),
    Case(
        PHOTOS,
        "rename one of them",
        lambda: outputs("face", "face-sheet"),
        follow=lambda: outputs("face", "other"),
    ),
    Case(
        PHOTOS,
        "name one, or a folder of them",
        lambda: photographs.listed(("",)),
        follow=lambda: photographs.listed(("photos",)),
    ),
    Case(PHOTOS, "{}", "align", "mee.png --landmarks points.json --size 16 --out crops", photo()),
    Case(
        PHOTOS,
        "give its four points: --landmarks, or take the picture as it is: --no-align",
        lambda: photographs._some([]),
        follow=lambda: photographs._some([Face(FACE)]),
    ),
    Case(
        "stylegan_jax/projection/detection.py",
        'python -m pip install "stylegan-jax[faces]", or pass --landmarks or --no-align',
        lambda: _without_dlib(),
        follow=HANDS,
    ),
    Case(
        "stylegan_jax/projection/framing.py",
        "pass --framing ffhq",
        "align",
        f"{ME} --framing odd.safetensors",
        both(photo(), lambda: _oddly_framed()),
    ),
]


def _without_dlib():
    with mock.patch.dict(sys.modules, dlib=None):
        detection._installed()


def _oddly_framed():
    one = tiny_model(0)
    sj.save(dataclasses.replace(one, lineage={**one.lineage, "framing": [[7, 7]]}), "odd.safetensors")


def marked(value, follow=None):
    """A case of points that are wrong, and then right."""
    return both(photo(), points({"me.png": value})), points() if follow is None else follow


FLAT, NAN = [[100, 100], [150, 100], [110, 100], [140, 100]], float("nan")
_MARKS = [
    Case(
        "stylegan_jax/storage/inputs.py",
        "{}",
        "align",
        "me.png --landmarks no.json --size 16 --out crops",
        photo(),
        points(name="no.json"),
    ),
    Case(MARKS, FORM, "align", ME, both(photo(), points([3])), points()),
    Case(MARKS, FORM, "align", ME, both(photo(), file("points.json", b"{")), points()),
    Case(MARKS, FORM, "align", ME, both(photo(), points({})), points()),
    Case(MARKS, f"{FORM}|write x,y x,y x,y x,y", "align", ME, *marked([[1, 2]])),
    Case(
        MARKS,
        f"{FORM}|write x,y x,y x,y x,y",
        "align",
        'me.png --landmarks "1,2 3,4" --size 16 --out crops',
        photo(),
        f'me.png --landmarks "{TYPED}" --size 16 --out crops',
    ),
    Case(MARKS, "write two finite numbers of pixels", "align", ME, *marked([[1, "x"], [2, 2], [3, 3], [4, 4]])),
    Case(
        MARKS,
        "give numbers of pixels",
        lambda: check(Face(FACE * NAN), 300, 320),
        follow=lambda: check(Face(FACE), 300, 320),
    ),
    Case(MARKS, "give pixels of the upright picture", "align", ME, *marked((FACE * 20).tolist())),
    Case(MARKS, "give {}", "align", ME, *marked(FLAT)),
    Case(MARKS, "give {}", "align", ME, *marked(FACE[[1, 0, 3, 2]].tolist())),
    Case(
        MARKS,
        "add them, or leave the picture out",
        "align",
        ME,
        both(photo(), points({"b.png": FACE.tolist()})),
        points(),
    ),
    Case(MARKS, "split it", "align", ME, both(photo(), lambda: os.truncate("points.json", 1 << 30)), points()),
]

PROJECT = "stylegan_jax/projection/project.py"


def projected(size=16, **options):
    """A picture is projected with a few steps."""
    model, settings = tiny_model(0, img_resolution=min(size, 16)), project.settings_of(steps=1)
    return project.project(model, np.zeros((1, size, size, 3), np.uint8), settings, **options)


_PROJECT = [
    Case(
        PROJECT,
        "use 0 to 1",
        lambda: project.settings_of(likeness=2),
        follow=lambda: [project.settings_of(likeness=n) for n in (0, 1)],
    ),
    Case(
        PROJECT,
        "use for example 250 steps of 0.1",
        lambda: project.settings_of(steps=0),
        follow=lambda: project.settings_of(steps=250, rate=0.1),
    ),
    Case(
        PROJECT,
        "this model takes {}, and one at least",
        lambda: projected(32),
        follow=lambda: projected(loss="pixels"),
        slow=True,
    ),
    Case(PROJECT, "use {}", lambda: projected(loss="colours"), follow=lambda: projected(loss="pixels"), slow=True),
    Case(PROJECT, "use a larger model", lambda: projected(8), follow=lambda: projected(16), slow=True),
]

CASES = [*_COMMAND, *_MARKS, *_PROJECT]
