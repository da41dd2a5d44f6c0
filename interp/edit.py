"""The command `python -m interp.edit`: directions and style channels are found, named and looked at."""

import dataclasses
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

import stylegan_jax
from interp.argument_errors import flags_named
from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Flat, Many, typed
from stylegan_jax.commands.sources import Source
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.sheets import View
    from stylegan_jax.editing.directions import Directions
    from stylegan_jax.storage.checkpoint import Model


@flags_named()
def edit(
    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")],
    /,
    *,
    source: Annotated[Source, Flat],
    name: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="NEW|OLD=NEW")] = (),
    seeds: Annotated[str, tyro.conf.arg(metavar="0-3")] = "0-3",
    psi: Annotated[str, typed("NUMBER")] = "0.7",
    class_: Annotated[str | None, typed("N|random|A,B,…", "class")] = None,
    cell: Annotated[str, tyro.conf.arg(metavar="PIXELS")] = "256",
    strips: bool = False,
    out: Annotated[str | None, typed("FILE.npz")] = None,
    overwrite: bool = False,
) -> None:
    """Finds directions in w, or style channels, along which a feature changes, and shows what they do.

    python -m interp.edit ffhq.pkl --find sefa --layers 0-3 --out pose.npz

    python -m interp.edit ffhq.pkl --directions pose.npz --name sefa0=turn --name sefa2=age --strips --out named.npz

    python -m interp.edit ffhq.pkl --from-latents without.npz with.npz --name smile --out smile.npz

    python -m interp.edit ffhq.pkl --find styles --mask mouth.png --out channels.npz

    Beside the file lies a sheet: a row for each direction, -3 to +3 standard deviations, and where it acts. With
    --edit NAME=2 --directions FILE the commands that sample, blend, film and toonify go along one.

    Args:
      model: in whose W they are: a model file of any kind, or the name of a shipped or public model.
      source: of the directions.
      name: what the direction of --from-latents is called; of others, OLD=NEW, and only those are kept.
      seeds: faces to show them on; the first is on the sheet.
      psi: truncation of these.
      class_: of conditional models.
      cell: the largest side of an image in a sheet.
      strips: draw a sheet of all the seeds for each direction, too: FILE-NAME.png.
      out: the file; its sheet is FILE.png. Default: MODEL-sefa.npz, …
      overwrite: replace what is there.
    """
    from interp.outputs import stem
    from interp.sheets import View
    from stylegan_jax.editing import directionfile

    source.check()
    view = View(values.seeds(seeds, "--seeds"), values.number(psi, "--psi"), values.label(class_))
    side = values.natural(cell, "--cell", low=16, high=1024)
    renamed = _renamed(name, source)
    place = Path(out or f"{stem(model)}-{source.find or (renamed[0][1] if renamed else 'directions')}.npz")
    if place.suffix != ".npz":
        raise InputError("directions are saved as .npz", "name one", file=f"--out {place}")
    sheets = [place.with_suffix(".png")]
    inputs = [model, *source.files]
    _check_places([place, *sheets], inputs, overwrite=overwrite)
    loaded = stylegan_jax.load(model, networks=["G_ema"])
    view.check([loaded], [model])
    ws = view.ws_of(loaded)
    found = _kept(source.read(loaded, name[0] if name else "direction", view.class_idx, ws), renamed)
    words = [re.sub(r"[:/\\]", "-", one) for one in found.names]
    sheets += [place.with_name(f"{place.stem}-{word}.png") for word in words] if strips else []
    _check_places(sheets, inputs, overwrite=overwrite)
    directionfile.write(place, found, overwrite=overwrite)
    for line in _said(found):
        print(line)
    _draw(loaded, stem(model), found, view, sheets, cell=side, overwrite=overwrite)
    more = f" and a sheet for each of {len(found.names)} directions" if strips else ""
    print(f"wrote {place} and {sheets[0]}{more}")


def _said(found: "Directions") -> list[str]:
    """A line for each style channel: what it was found by."""
    card = found.card
    if card.get("theta"):
        return [f"{name}: theta {theta:.2f}" for name, theta in zip(found.names, card["theta"], strict=True)]
    changes = zip(found.names, card.get("inside") or (), card.get("outside") or (), strict=False)
    return [
        f"{name}: changes {inside:.1f} grey levels inside, {outside:.1f} outside" for name, inside, outside in changes
    ]


def _check_places(paths: list[Path], inputs: list[str], *, overwrite: bool) -> None:
    """Raises InputError where no output may be made."""
    from stylegan_jax.storage import atomic

    atomic.check_no_input(paths, inputs)
    for path in paths:
        atomic.output_path(path, overwrite=overwrite)


def _draw(
    model: "Model",
    name: str,
    found: "Directions",
    view: "View",
    sheets: list[Path],
    *,
    cell: int,
    overwrite: bool,
) -> None:
    """Writes the overview, and a strip for each direction where there are places for them."""
    from interp.strips import one_strip, overview, strips
    from stylegan_jax.pictures import encoding

    pictures, note = strips(model, found, view), {"directions": dict(found.card)}
    title = f"{name}: {found.card.get('method', 'directions')}   (psi {view.psi:g}, {view.labels[0]})"
    encoding.write_picture(sheets[0], overview(pictures, found, title=title, cell=cell), note, overwrite=overwrite)
    for path, strip, one in zip(sheets[1:], pictures, found.names, strict=False):
        sheet = one_strip(strip, view.labels, title=f"{name}: {one}", cell=cell)
        encoding.write_picture(path, sheet, note, overwrite=overwrite)


def _renamed(names: tuple[str, ...], source: Source) -> list[tuple[str, str]]:
    """(old name, new name) of the directions that are kept; all are where there are none."""
    if source.is_one:
        if len(names) > 1 or "=" in "".join(names):
            raise InputError("--from-latents finds one direction", "pass one --name NAME")
        return [("", each) for each in names]
    pairs = [(old, new) for old, _, new in (text.partition("=") for text in names)]
    if wrong := [text for text, (old, new) in zip(names, pairs, strict=True) if not (old and new)]:
        raise InputError("is no new name", "write OLD=NEW, such as sefa0=age", file=f"--name {wrong[0]}")
    return pairs


def _kept(found: "Directions", renamed: list[tuple[str, str]]) -> "Directions":
    """The directions by their new names; InputError for an old name that is not there and a new one twice."""
    from stylegan_jax.editing.directionfile import MEASURED

    if not renamed or renamed[0][0] == "":
        return found
    for old, _ in renamed:
        found.edit(old, 0.0)  # which says what there is
    news = [new for _, new in renamed]
    if len(set(news)) < len(news):
        raise InputError("two directions of one name", "give each its own", file=f"--name {max(news, key=news.count)}")
    kept = [found.names.index(old) for old, _ in renamed]
    card = {key: value for key, value in found.card.items() if key not in MEASURED}
    card |= {key: np.array(found.card[key])[kept].tolist() for key in MEASURED if found.card.get(key)}
    return dataclasses.replace(
        found,
        names=tuple(news),
        vectors=found.vectors[kept],
        scales=found.scales[kept],
        layers=found.layers[kept],
        card=card,
    )


if __name__ == "__main__":
    sys.exit(cli.run(edit, "python -m interp.edit"))
