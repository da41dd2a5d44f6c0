"""The image of seed 0, made from what was written: proof that a converted model works."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

import convert
from stylegan_jax.errors import InputError
from stylegan_jax.names import DEFAULT_NETWORKS
from stylegan_jax.pictures import images
from stylegan_jax.storage import atomic, checkpoint
from stylegan_jax.storage.checkpoint import Model


def picture_of(place: Path) -> Path:
    """Where the image goes: beside the model."""
    return place.with_name(f"{place.name}.seed0.png")


def _picture_note(place: Path) -> dict[str, Any]:
    return {"model": place.name, "seed": 0, "psi": 1}


def check_picture(place: Path, *, overwrite: bool) -> None:
    """Refuses to replace what is there, unless it is the picture that was made for this very output before."""
    picture = picture_of(place)
    if not picture.exists() or overwrite:
        return
    try:
        found = images.made_by(picture)
    except InputError:
        found = {}
    if {key: found.get(key) for key in _picture_note(place)} != _picture_note(place):
        atomic.output_path(picture)


def verify(place: Path, *, overwrite: bool) -> None:
    """Makes the image of seed 0 (of class 0) from the file that was written, and looks at its values."""
    model = convert.read(place, networks=DEFAULT_NETWORKS)
    image = _image_of_seed_0(model)
    if not np.isfinite(image).all():
        raise InputError("its image of seed 0 holds NaN or infinity", "the weights are no trained model", file=place)
    if np.median(np.abs(image)) > 1 or image.std() < 1e-3:
        raise InputError("its image of seed 0 is out of range", "the weights are no trained model", file=place)
    picture, note = picture_of(place), {**_picture_note(place), "model_sha256": checkpoint.fingerprint(model)}
    if overwrite or not picture.exists() or images.made_by(picture) != note:
        images.write_png(picture, images.to_uint8(image), note, overwrite=overwrite)
    print(f"verified: seed 0 is finite, from {image.min():.2f} to {image.max():.2f}: {picture}")


def _image_of_seed_0(model: Model) -> Float[np.ndarray, "h w c"]:
    import jax

    from stylegan_jax.networks.generators import generator
    from stylegan_jax.sampler import run

    config, weights = model.config.generator, model.networks["G_ema"]
    ws = run.map_seeds(model, [0], class_idx=0 if config.c_dim else None)
    return jax.device_get(jax.jit(lambda leaves, ws: generator(config, leaves).synthesis(ws))(weights, ws))[0]
