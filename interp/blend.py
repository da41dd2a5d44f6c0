"""The command `python -m interp.blend`: two models (or more) in, a blended model and a sheet of its images out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import stylegan_jax
from interp.argument_errors import flags_named
from interp.options import BlendOptions
from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.errors import say

if TYPE_CHECKING:
    from interp.recipes import Recipe


@flags_named()
def blend(
    request: Annotated[BlendOptions, Flat],
    dry_run: bool = False,
    out: Annotated[str | None, typed("PATH")] = None,
    sheet: bool = True,
    overwrite: bool = False,
) -> None:
    """Blends StyleGAN2 models layer by layer and shows what came out.

    python -m interp.blend ffhq.pkl toon.pkl --swap 16 --out blend.safetensors

    python -m interp.blend ffhq.pkl --add toon.pkl:swap=16 --add metfaces.pkl:band=64-256

    python -m interp.blend --recipe blend.png --out again.safetensors

    Args:
      request: what to blend.
      dry_run: print where every tensor comes from; write nothing.
      out: .safetensors, .pkl, or a folder (Orbax); .png, .jpg or .webp for the sheet alone, .yaml for the recipe
        alone.
        Default: ./BASE-x-TRANSFER-SCHEDULE.
      sheet: draw no sheet.
      overwrite: replace what is there.
    """
    recipe, beside = request.read(stylegan_jax.shipped_models())
    if dry_run:
        _say_shares(recipe, beside)
    else:
        _write(recipe, beside, out, sheet=sheet, overwrite=overwrite, keeps_d=request.networks is None)


def _say_shares(recipe: "Recipe", beside: Path | None) -> None:
    from interp.replay import decide_unread

    decisions, labels = decide_unread(recipe, beside, stylegan_jax.shipped_models())
    print(f"{' × '.join(labels)}: {', '.join(schedule.text for schedule in recipe.schedules)}")
    for line in decisions.table(labels):
        print(line)
    for note in decisions.notes:
        print(f"resolved: {note}")


def _write(
    recipe: "Recipe", beside: Path | None, out: str | None, *, sheet: bool, overwrite: bool, keeps_d: bool
) -> None:
    from interp.distances import strangers
    from interp.given import view_of
    from interp.masks import mask_of
    from interp.outputs import Outputs
    from interp.replay import blend_recipe, decide_loaded, read_models

    outputs = Outputs(recipe, out, sheet=sheet, overwrite=overwrite)
    keeps_d = keeps_d and outputs.model is not None
    loaded = read_models(recipe, beside, stylegan_jax.shipped_models(), discriminator=keeps_d)
    outputs.check_no_input([each.path for each in loaded])
    print(" × ".join(f"{'transfer' if i else 'base'} {each.facts}" for i, each in enumerate(loaded)))
    print("\n".join(decide_loaded(recipe, loaded).lines(recipe.schedules)))
    mask = mask_of(recipe, loaded[0].model.config.generator, beside)
    if mask is not None:
        recipe = mask.kept_by(recipe)
        print(f"{mask.said}: of the sheet alone, no weights have a mask")
    view = None
    if outputs.sheet is not None:
        view = view_of(recipe, values.seeds(recipe.seeds), loaded[0].model)
        view.check([each.model for each in loaded], [each.label for each in loaded])
    labels = [each.label for each in loaded]
    for warning in strangers([each.model.networks["G_ema"] for each in loaded], labels):
        say(f"warning: {warning}")
    if view is None:
        mixed, picture = blend_recipe(recipe, loaded, consume=True), None
    else:
        from interp.drawing import blend_and_draw

        mixed, picture = blend_and_draw(recipe, loaded, view, mask)
    if "D" in mixed.networks and "D" not in recipe.settings.networks:
        print(f"D: that of {labels[0]}, so that training can go on from the blend")
    for note in outputs.notes(mixed):
        print(note)
    outputs.write(mixed, picture)
    print(f"wrote {' and '.join(map(str, outputs.paths))}")


if __name__ == "__main__":
    sys.exit(cli.run(blend, "python -m interp.blend"))
