"""The command `python -m interp.blend`: two models (or more) in, a blended model and a sheet of its images out."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import stylegan_jax
from interp.options import Flat, Request, slug
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.mix import Plan
    from interp.recipes import Recipe
    from interp.replay import Loaded
    from interp.sheets import View
    from stylegan_jax.storage.checkpoint import Model


_RECIPES = (".yaml", ".yml")


def blend(
    request: Annotated[Request, Flat],
    dry_run: bool = False,
    out: Annotated[str | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None,
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
    shipped = stylegan_jax.shipped_models()
    recipe, beside = request.read(shipped)
    if dry_run:
        return _print_plan(recipe, beside)
    places = _Places(recipe, out, sheet, overwrite)

    from interp.replay import read_models

    loaded = read_models(recipe, beside, shipped, discriminator=places.model is not None and request.networks is None)
    places.check_no_input([each.path for each in loaded])
    print(" × ".join(_provenance(each, i) for i, each in enumerate(loaded)))
    _say_decisions(recipe, loaded)
    view = _view(recipe, loaded) if places.sheet is not None else None
    _warn_of_strangers(loaded)
    base = loaded[0].label
    mixed, picture = _make(recipe, loaded, view)
    if "D" in mixed.networks and "D" not in recipe.options["networks"]:
        print(f"D: that of {base}, so that training can go on from the blend")
    places.write(mixed, picture)


class _Places:
    """Where the outputs go, checked before any work is done."""

    def __init__(self, recipe: "Recipe", out: str | None, sheet: bool, overwrite: bool):
        from stylegan_jax.storage import atomic

        place = Path(slug(recipe) if out is None else out)
        suffix = place.suffix.lower()
        if out is not None:
            atomic.check_suffix(place, (*atomic.MODELS, *atomic.PICTURES, *_RECIPES))
        stem = place.stem if suffix in atomic.MODELS else place.name
        beside = place.with_name(f"{stem}.png") if sheet else None
        self.model = None if suffix in (*atomic.PICTURES, *_RECIPES) else place
        self.recipe = place if suffix in _RECIPES else None
        self.sheet = place if suffix in atomic.PICTURES else None if self.recipe else beside
        self.overwrite = overwrite
        for target in self.targets:
            atomic.check_place(target, overwrite=overwrite)

    @property
    def targets(self) -> list[Path]:
        """Everything that will be written."""
        return [place for place in (self.model, self.sheet, self.recipe) if place is not None]

    def check_no_input(self, inputs: list[Path]) -> None:
        """Raises InputError if an output is one of the models to blend."""
        used = {os.path.realpath(path) for path in inputs}
        for target in self.targets:
            if os.path.realpath(target) in used:
                raise InputError("is one of the models to blend", "give the output another name", file=target)

    def write(self, mixed: "Model", picture: Any) -> None:
        """Writes model, sheet and recipe, each whole or not at all, and says where."""
        from convert.writing import made_up
        from interp.recipes import from_json, to_yaml
        from stylegan_jax.pictures import encoding
        from stylegan_jax.storage import atomic

        if self.model is not None:
            for note in made_up(mixed, self.model):
                print(note)
            stylegan_jax.save(mixed, self.model, overwrite=self.overwrite)
        if self.sheet is not None:
            encoding.write_picture(self.sheet, picture, mixed.lineage, overwrite=self.overwrite)
        if self.recipe is not None:
            with atomic.new_file(self.recipe, overwrite=self.overwrite) as file:
                file.write(to_yaml(from_json(mixed.lineage["recipe"])).encode())
        print(f"wrote {' and '.join(map(str, self.targets))}")


def _view(recipe: "Recipe", loaded: "list[Loaded]") -> "View":
    """What the sheet shows; InputError where a model cannot show it."""
    from interp.given import view_of

    view = view_of(recipe, cli.seeds(recipe.seeds), loaded[0].model)
    view.check([each.model for each in loaded], [each.label for each in loaded])
    return view


def _warn_of_strangers(loaded: "list[Loaded]") -> None:
    """Says on stderr which transfer models are no relatives of the base, with the distance."""
    from interp.distances import judge

    base, *others = loaded
    for each in others:
        verdict = judge(base.model.networks["G_ema"], each.model.networks["G_ema"])
        if not verdict.blends:
            print(f"warning: {verdict.words(base.label, each.label)}", file=sys.stderr)


def _make(recipe: "Recipe", loaded: "list[Loaded]", view: "View | None") -> "tuple[Model, Any]":
    """The blend, and its sheet if there is a view: the models' own rows first, as the blend uses the models up."""
    from tqdm import tqdm

    from interp.replay import blend_recipe
    from interp.sheets import blend_sheet

    if view is None:
        return blend_recipe(recipe, loaded, consume=True), None
    view = view.with_ws_of(loaded[0].model) if recipe.same_w else view
    labels = [each.label for each in loaded]
    with tqdm(total=len(loaded) + 1, desc="rows of the sheet", disable=None, delay=2, leave=False) as bar:
        rows = [_row(view, each, bar) for each in loaded]
        mixed = blend_recipe(recipe, loaded, consume=True)
        rows.insert(1, view.row(mixed))
    return mixed, blend_sheet(rows, view, labels, [schedule.text for schedule in recipe.schedules])


def _row(view: "View", loaded: "Loaded", bar: Any) -> Any:
    row = view.row(loaded.model)
    bar.update()
    return row


def _provenance(loaded: "Loaded", index: int) -> str:
    from interp.relatives import describe
    from stylegan_jax.storage.downloads import addresses

    origin = loaded.model.lineage.get("source")
    place = loaded.name if addresses.find(loaded.name) else os.path.abspath(loaded.path)
    facts = [place, describe(loaded.model.config.generator), f"sha256 {loaded.sha256[:12]}"]
    facts += [f"from {origin}"] if origin and origin != loaded.label else []
    return f"{'transfer' if index else 'base'} {loaded.label} ({', '.join(facts)})"


def _say_decisions(recipe: "Recipe", loaded: "list[Loaded]") -> None:
    """Sources and resolved differences, or the error that says what cannot be blended, before any long work."""
    from interp.replay import plan_loaded

    plan = plan_loaded(recipe, loaded)
    sources = ", ".join(f"{field} from {getattr(plan.sources, field)}" for field in ("mapping", "w_avg", "noise"))
    print(f"{', '.join(schedule.text for schedule in recipe.schedules)}: {sources}")
    if plan.notes:
        print(f"resolved: {'; '.join(plan.notes)}")


def _print_plan(recipe: "Recipe", beside: Path | None) -> None:
    """One line for each tensor: its name, and the share of every model in it."""
    from interp.replay import plan_recipe

    plan, labels = plan_recipe(recipe, beside, stylegan_jax.shipped_models())
    print(f"{' × '.join(labels)}: {', '.join(schedule.text for schedule in recipe.schedules)}")
    for line in _table(plan, labels):
        print(line)
    for note in plan.notes:
        print(f"resolved: {note}")


def _table(plan: "Plan", labels: list[str]) -> list[str]:
    lines = []
    for network, table in plan.shares.items():
        prefix = "" if len(plan.shares) == 1 else f"{network}."
        for name, alphas in table.items():
            shares = [1 - sum(alphas), *alphas]
            used = [f"{share:.4g} {label}" for share, label in zip(shares, labels, strict=True) if share != 0]
            lines.append(f"{prefix + name:<42} {' + '.join(used)}")
    return lines


if __name__ == "__main__":
    sys.exit(cli.run(blend, "python -m interp.blend"))
