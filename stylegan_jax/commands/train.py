"""The command `train`: fine-tunes a model, or trains one from nothing, on a folder of images."""

from typing import Annotated

import tyro

from stylegan_jax.train.request import Request

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
    from stylegan_jax.train import start

    return start.train(request, stylegan_jax.load)
