"""The command `project`: photographs → the ws whose images are nearest to them."""

from pathlib import Path
from typing import Annotated

import tyro

from stylegan_jax.commands import cli, projected
from stylegan_jax.commands.descents import Descents
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.commands.photographs import Faces, cropped, listed

Photos = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PHOTO …", help_behavior_hint="")]


def project(
    photos: Photos,
    /,
    *,
    model: Annotated[str, typed("MODEL")] = "portraits",
    out: Annotated[str, typed("FILE.npz")],
    which: Annotated[Faces, Flat],
    how: Annotated[Descents, Flat],
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
      overwrite: replace what is there.
    """
    import stylegan_jax

    place = projected.Place(out, overwrite=overwrite)
    how.check_video(overwrite=overwrite)
    unfinished = how.unfinished(Path(out).with_suffix(".unfinished.npz"), overwrite=overwrite)
    settings, found = how.settings(), listed(photos)
    loaded = stylegan_jax.load(model, networks=["G_ema"])
    crops = cropped(found, which, loaded)
    if not crops:
        return cli.BAD_INPUT
    made = how.run(loaded, [crop.pixels for _, crop in crops], settings, unfinished, overwrite=overwrite)
    place.write(loaded, crops, made, how.notes(settings))
    unfinished.done()
    return cli.DONE
