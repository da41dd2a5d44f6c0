"""Cases of training: its data, its configuration, the folder of its run."""

import json
import os
import shutil
import zipfile
from pathlib import Path

from stylegan_jax.train.data import sources
from tests.commands.remedies import running, shelf
from tests.commands.remedies.case import Case
from tests.commands.remedies.steps import both, file

SMALL = "--channel-max 8 --z-dim 8 --w-dim 8 --mapping-layers 1 --augment none --score-images 0 --mbstd-group-size 2"
ONE = f"--batch 8 --devices 1 {SMALL}"
OUT = f"--out run --resolution 8 {ONE}"
TRAIN = f"photos {OUT}"


def labelled(labels, name="photos/dataset.json"):
    """A step that writes labels."""
    return lambda: Path(name).write_text(labels if isinstance(labels, str) else json.dumps({"labels": labels}))


def classes():
    """Pictures in two subfolders."""
    for name in ("cats", "dogs"):
        shelf.pictures(Path("pets") / name, 2)


EVERY = [[f"{i}.png", i % 2] for i in range(4)]
LABELS, SOURCES = "stylegan_jax/train/data/labels.py", "stylegan_jax/train/data/sources.py"
JSON = f"{TRAIN} --labels json"
IMAGES = "give a folder or a zip of images"
_DATA = [
    Case(
        LABELS,
        "put each class into a folder of its own, or train without --labels",
        "train",
        f"{TRAIN} --labels folders",
        follow=[TRAIN],
    ),
    Case(
        LABELS,
        "put each class into a folder of its own, or train without --labels",
        "train",
        f"pets/cats {OUT} --labels folders",
        classes,
        follow=f"pets {OUT} --labels folders",
    ),
    Case(LABELS, "keep one of them", "train", JSON, labelled([*EVERY, ["0.png", 1]]), labelled(EVERY)),
    Case(LABELS, "repair or remove it", "train", JSON, labelled("[3]"), labelled(EVERY)),
    Case(LABELS, "pass --labels folders to make them classes", "train", f"pets {OUT} --labels json", classes),
    Case(LABELS, "add a {}, or train without --labels", "train", JSON),
    Case(LABELS, "add a {}, or train without --labels", "train", JSON, follow=labelled(EVERY)),
    Case(LABELS, "add them, or train without --labels", "train", JSON, labelled(EVERY[:2])),
    Case(LABELS, "add them, or train without --labels", "train", JSON, labelled(EVERY[:2]), labelled(EVERY)),
    Case(LABELS, "repair it, or train without --labels", "train", JSON, labelled([[f"{i}.png", -1] for i in range(4)])),
    Case(
        LABELS,
        "repair it, or train without --labels",
        "train",
        JSON,
        labelled([[f"{i}.png", [0.5] * (i + 1)] for i in range(4)]),
        labelled(EVERY),
    ),
    Case(SOURCES, "check the path", lambda: sources.find("no"), follow=lambda: sources.find("photos")),
    Case(SOURCES, "{}", "train", f"photo {OUT}"),
    Case(SOURCES, "{}", "train", f"elsewhere {OUT}", follow=lambda: shelf.pictures(Path("elsewhere"))),
    Case(SOURCES, IMAGES, "train", f"photos.zip {OUT}", file("photos.zip"), follow=TRAIN),
    Case(SOURCES, IMAGES, "train", f"photos.zip {OUT}", file("photos.zip"), follow=lambda: _zipped()),
    Case(SOURCES, "give a folder or a zip of {} … files", "train", f"empty {OUT}", file("empty/read.me"), follow=TRAIN),
    Case(
        SOURCES,
        "unpack it to images first, with dataset_tool.py of stylegan2-ada-pytorch: it writes a zip",
        "train",
        f"old {OUT}",
        file("old/faces-r05.tfrecords"),
        follow=lambda: shutil.copytree("photos", "old", dirs_exist_ok=True),
    ),
    Case(
        "stylegan_jax/train/data/cache.py",
        "give other images, or a lower --resolution",
        "train",
        f"bad {OUT}",
        file("bad/a.png"),
        follow=TRAIN,
    ),
]


def _zipped():
    os.remove("photos.zip")
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for path in Path("photos").iterdir():
            archive.write(path, path.name)


CONFIG, START, LOOP = "stylegan_jax/train/config.py", "stylegan_jax/train/start.py", "stylegan_jax/train/loop.py"
TRANSFER = "stylegan_jax/train/transfer.py"
EIGHT = f"photos --out run --resolution 8 {SMALL} --devices 1"
FROM = "photos --out run --from eight.safetensors --augment none --score-images 0 --devices 1 --batch 4"
_CONFIG = [
    Case(
        CONFIG,
        "use --mbstd-chunks {}, or another --batch",
        "train",
        f"{EIGHT} --batch 8 --mbstd-chunks 3",
        follow=[f"{EIGHT} --batch 8 --mbstd-chunks 4", f"{EIGHT} --batch 12 --mbstd-chunks 3"],
    ),
    Case(CONFIG, "use --mbstd-group-size {}", "train", EIGHT.replace("size 2", "size 3") + " --batch 8"),
    Case(
        CONFIG,
        "use --pl-batch-shrink {}, or another --batch",
        "train",
        f"{EIGHT} --batch 8 --pl-weight 2 --pl-batch-shrink 3",
        follow=[f"{EIGHT} --batch 8 --pl-weight 2 --pl-batch-shrink {n}" for n in (1, 2)],
    ),
    Case(
        "stylegan_jax/train/official.py",
        "choose another value",
        "train",
        f"{EIGHT} --batch 8".replace("resolution 8", "resolution 4"),
        follow=f"{EIGHT} --batch 8",
    ),
    Case(START, "give the size of the images, a power of two", "train", f"photos --out run {ONE}", follow=TRAIN),
    Case(START, "choose one", "train", f"photos --out run --resolution 9 {ONE}", follow=TRAIN),
    Case(
        LOOP,
        "use 1 to {}",
        "train",
        f"{TRAIN}".replace("--devices 1", "--devices 99 --mbstd-chunks 8 --pl-batch-shrink 1").replace(
            "--mbstd-group-size 2", "--mbstd-group-size 1"
        ),
    ),
    Case(
        LOOP,
        "use --devices {}, or another --mbstd-chunks",
        "train",
        TRAIN.replace("--devices 1", "--devices 3 --mbstd-chunks 2"),
        follow=[TRAIN.replace("--devices 1", f"--devices {n} --mbstd-chunks 2") for n in (1, 2)],
    ),
    Case(LOOP, "use {}", "train", f"{TRAIN} --augment-pipe strong".replace("--augment none", "--augment ada")),
    Case(TRANSFER, "{}", "train", f"{TRAIN} --freeze-g 16"),
    Case(TRANSFER, "use {}", "train", f"{TRAIN} --freeze eyes"),
    Case(TRANSFER, "use {}", "train", f"{TRAIN} --freeze D.eyes"),
    Case(TRANSFER, "freeze 0 or more of them", "train", f"{TRAIN} --freeze-d 99", follow=f"{TRAIN} --freeze-d 1"),
    Case(
        TRANSFER,
        "fine-tune from a model with G_ema",
        "train",
        FROM.replace("eight", "d8"),
        build=lambda: _only_d("eight.safetensors", "d8.safetensors"),
        follow=FROM,
    ),
]


def _only_d(path, place):
    """A model without a generator's weights."""
    import dataclasses

    import stylegan_jax as sj
    from stylegan_jax.storage import checkpoint

    found = sj.load(path)
    checkpoint.save(dataclasses.replace(found, networks={"D": found.networks["D"]}), place)


RUNDIR, SAVED = "stylegan_jax/storage/rundir.py", "stylegan_jax/train/saved.py"


def begun(more=""):
    """A step that begins the run."""
    return lambda: _done(f"{TRAIN} {more}")


def _done(typed):
    assert running.run("train", typed.split()) == 0


_RUNS = [
    Case(RUNDIR, "name a folder", "train", TRAIN, file("run")),
    Case(RUNDIR, "give the run another folder", "train", TRAIN, file("run/letter.txt")),
    Case(RUNDIR, "give the run another folder", "train", TRAIN, both(begun(), file("run/run.json"))),
    Case(RUNDIR, "run the same command again, or give the run another folder", "train", f"{TRAIN} --lr 0.1", begun()),
    Case(
        RUNDIR,
        "run the same command again, or give the run another folder",
        "train",
        f"{TRAIN} --lr 0.1",
        begun(),
        follow=TRAIN,
    ),
    Case(
        RUNDIR,
        "wait for the first, or train on",
        "sample",
        "run --seeds 0 --out faces",
        file("run/run.json", b"{}"),
        follow=lambda: shutil.copy("ffhq.safetensors", "run/network-snapshot-000000.safetensors"),
    ),
]

CASES = [*_DATA, *_CONFIG, *_RUNS]
