"""The command `project`: photographs → the ws whose images are nearest to them."""

from pathlib import Path
from typing import Annotated

import tyro

from stylegan_jax.commands import cli, tunings
from stylegan_jax.commands.descents import Descents
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.commands.photographs import Faces, cropped, listed, names_of
from stylegan_jax.commands.tunings import Tunings
from stylegan_jax.errors import InputError

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
    from stylegan_jax.pictures import encoding, latentfiles
    from stylegan_jax.projection.project import side_by_side
    from stylegan_jax.storage import atomic, checkpoint

    place, sheet = Path(out), Path(out).with_suffix(".png")
    if place.suffix.lower() != ".npz":
        raise InputError("is no place for ws", "end it in .npz", file=f"--out {out}")
    better = place.with_name(f"{place.stem}-tuned.png")
    for each in (place, sheet, *([better] if tuned.tune else [])):
        atomic.output_path(each, overwrite=overwrite)
    settings, tuning, found = how.settings(), tuned.settings(), listed(photos)
    loaded = stylegan_jax.load(model, networks=["G_ema"])
    crops = cropped(found, which, loaded)
    if not crops:
        return cli.BAD_INPUT
    names, pixels = names_of(crops), [crop.pixels for _, crop in crops]
    places = tuned.places(better.with_suffix(""), names, overwrite=overwrite) if tuning else []
    made = how.run(loaded, pixels, settings)
    note = {
        "model": str(loaded.lineage.get("source")),
        "model_sha256": checkpoint.fingerprint(loaded),
        "photographs": names,
        **how.notes(settings),
        "losses": [round(float(value), 5) for value in made.losses],
    }
    latentfiles.write_ws(place, [made.ws], made.ws.shape, note, names=names)
    picture = side_by_side(pixels, list(made.images))
    encoding.write_picture(sheet, picture, note, overwrite=overwrite)
    for name, psnr, similar in zip(names, made.psnr, made.ms_ssim, strict=True):
        print(f"{name}: {psnr:.1f} dB, MS-SSIM {similar:.2f}")
    print(f"wrote {place} and {sheet}")
    if tuning:
        models = tuned.models(loaded, pixels, made.ws, tuning, how)
        tunings.write(better, places, models, pixels, made, names, overwrite=overwrite)
    return cli.DONE
