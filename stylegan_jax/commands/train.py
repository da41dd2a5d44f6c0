"""The command `train`: fine-tunes a model, or trains one from nothing, on a folder of images."""

import contextlib
import os
from typing import Annotated

import tyro

from stylegan_jax.errors import InputError
from stylegan_jax.train.request import Request

MOST_FACES = 1000

ALIASES = {
    "--data": "",
    "--resume": "--from",
    "--gamma": "--r1-gamma",
    "--freezed": "--freeze-d",
    "--aug": "--augment",
    "--target": "--ada-target",
    "--snap": "--snapshot-ticks",
}
"""Flags of the official training programs."""


def train(request: Annotated[Request, tyro.conf.arg(name="")]) -> int:
    """Fine-tunes a model on a folder of images, or trains one from nothing.

    python -m stylegan_jax train toons --from portraits --out runs/toons --mirror --kimg 100

    python -m stylegan_jax train photos.zip --out runs/photos --resolution 256 --cfg paper256 --mirror

    The same command run again goes on where it stopped; the folder of the run is a model for every other command.
    """
    import stylegan_jax
    from interp.beside import Blends
    from stylegan_jax.train import start

    _divide_cpu()
    framing = _framing(request.framing, request.data)
    return start.train(request, stylegan_jax.load, framing=framing, compare=Blends)


def _divide_cpu() -> None:
    """Two devices on a CPU of several cores: 1.2 to 1.3 times as fast as one, and `--cfg cpu` has a chunk for each.

    Nothing where the user has said how many, or JAX is running already.
    """
    import jax

    if (os.cpu_count() or 1) > 1 and "host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", 2)


def _framing(given: str | None, data: str) -> "str | list[list[float]] | None":
    """What --framing says of a data set: FFHQ's by name, or the mean places of four points in at most 1,000 images."""
    if given in (None, "ffhq"):
        return given
    from stylegan_jax.pictures import images
    from stylegan_jax.projection import detection, framing, landmarks
    from stylegan_jax.train.data import sources

    table, find = ({}, detection.dlib_finder()) if given == "detect" else (landmarks.in_file(given), None)
    found, faces = sources.find(data), []
    for name in found.names[:: -(-len(found.names) // MOST_FACES)]:
        try:
            pixels = images.read(found.open(name))
            seen = landmarks.of_picture(table, name, given) if find is None else find(pixels)
        except InputError:
            continue  # training leaves out what cannot be read, and says so
        if seen:
            faces.append((max(seen, key=lambda face: face.size).points, pixels.shape[1], pixels.shape[0]))
    if not faces:
        raise InputError(
            "no face in the data", "name a file of their points, or leave it out", file=f"--framing {given}"
        )
    return framing.measured(faces)
