"""The command `encode`: photographs → ws, by an encoder."""

from typing import Annotated

import tyro

from stylegan_jax import values
from stylegan_jax.commands import cli, encoders, projected
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.commands.photographs import Faces, cropped, listed

Photos = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PHOTO …", help_behavior_hint="")]


def encode(
    photos: Photos,
    /,
    *,
    model: Annotated[str, typed("MODEL")] = "portraits",
    encoder: Annotated[str | None, typed("FILE")] = None,
    out: Annotated[str, typed("FILE.npz")],
    which: Annotated[Faces, Flat],
    rounds: Annotated[str, typed("N")] = str(encoders.ROUNDS),
    overwrite: bool = False,
) -> int:
    """Finds ws for photographs in a moment, by an encoder: what `project` finds in a minute, less like them.

    python -m stylegan_jax encode me.jpg --out me.npz

    python -m stylegan_jax encode photos/ --model ffhq.pkl --encoder ffhq-encoder.safetensors --out photos.npz

    The encoder looks at each photograph several times, from the second on beside what the model makes of its last
    answer; the best answer counts. Beside the file lies a sheet of the photographs and what the model makes of them.

    Args:
      photos: pictures, folders or zips of them.
      model: a model file of any kind, or the name of a shipped or public model.
      encoder: what train-encoder wrote for this model, or a .pt of e4e or pSp (default: the one that ships with it).
      out: the .npz for the ws.
      which: of the faces.
      rounds: looks at each photograph.
      overwrite: replace what is there.
    """
    import stylegan_jax

    found = listed(photos)
    place = projected.Place(out, found, overwrite=overwrite)
    looks = values.natural(rounds, "--rounds", low=1, high=100)
    loaded = stylegan_jax.load(model, networks=["G_ema"])
    trained = encoders.of_model(loaded, encoder, named=model)
    crops = cropped(found, which, loaded)
    if not crops:
        return cli.BAD_INPUT
    made, notes = encoders.encoded(loaded, [crop.pixels for _, crop in crops], trained, looks)
    place.write(loaded, crops, made, notes)
    return cli.DONE
