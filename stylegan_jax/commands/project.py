"""The command `project`: photographs → the ws whose images are nearest to them."""

from pathlib import Path
from typing import Annotated

import tyro

from stylegan_jax.commands import cli, projected, tunings
from stylegan_jax.commands.descents import Descents
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.commands.photographs import Faces, cropped, listed, names_of
from stylegan_jax.commands.tunings import Tunings

Photos = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PHOTO …", help_behavior_hint="")]


def project(
    photos: Photos,
    /,
    *,
    model: Annotated[str, typed("MODEL")] = "portraits",
    out: Annotated[str, typed("FILE.npz")],
    which: Annotated[Faces, Flat],
    how: Annotated[Descents, Flat],
    tuned: Annotated[Tunings, Flat],
    overwrite: bool = False,
) -> int:
    """Finds the ws of a model whose images are nearest to photographs: what --w of every command reads.

    python -m stylegan_jax project me.jpg --out me.npz

    python -m stylegan_jax project photos/ --model ffhq.pkl --no-align --out photos.npz

    python -m stylegan_jax project photos/ --out photos.npz --resume

    Beside the file lies a sheet of the photographs and what the model makes of them. Photographs that cannot be used
    are named, and the others go on; 2 is the exit code if none was left.

    Args:
      photos: pictures, folders or zips of them.
      model: a model file of any kind, or the name of a shipped or public model.
      out: the .npz for the ws.
      which: of the faces.
      how: the descent goes.
      tuned: the model afterwards; x-tuned.png shows what it makes of the ws, x-tuned-NAME.safetensors is it.
      overwrite: replace what is there.
    """
    import stylegan_jax
    from stylegan_jax.storage import atomic

    found = listed(photos)
    place = projected.Place(out, found, overwrite=overwrite)
    how.check_video(overwrite=overwrite)
    unfinished = how.unfinished(Path(out).with_suffix(".unfinished.npz"), overwrite=overwrite)
    settings, tuning = how.settings(), tuned.settings()
    better = Path(out).with_name(f"{Path(out).stem}-tuned.png")
    if tuning:
        atomic.output_path(better, overwrite=overwrite)
    loaded = stylegan_jax.load(model, networks=["G_ema"])
    crops = cropped(found, which, loaded)
    if not crops:
        return cli.BAD_INPUT
    names, pixels = names_of(crops), [crop.pixels for _, crop in crops]
    places = tuned.places(better.with_suffix(""), names, overwrite=overwrite) if tuning else []
    made = how.run(loaded, pixels, settings, unfinished, overwrite=overwrite)
    place.write(loaded, crops, made, how.notes(settings))
    if tuning:
        models = tuned.models(loaded, pixels, made.ws, tuning, how)
        tunings.write(better, places, models, pixels, made, names, overwrite=overwrite)
    unfinished.done()
    return cli.DONE
