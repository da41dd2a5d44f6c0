"""The door of `python -m interp.blend`: two models (or more) in, a blended model and a sheet of its images out."""

import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import stylegan_jax
from stylegan_jax import doors
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.schedules import Schedule
    from stylegan_jax.checkpoint import Model

SHAPES = ("swap", "smooth", "linear", "cosine", "smoothstep", "band", "only", "alpha", "alpha_layers")
Flat = tyro.conf.arg(name="")


def _typed(metavar: str, name: str | None = None) -> Any:
    """An option that may be left out, shown in the help by what is typed for it."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="", name=name)


R = Annotated[str | None, _typed("R")]
Span = Annotated[str | None, _typed("R1-R2")]
Number = Annotated[str | None, _typed("NUMBER")]
File = Annotated[str | None, _typed("MODEL")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """What α is in each layer: choose one."""

    swap: R = None
    """transfer up to and including this resolution, base above: the paper's layer swapping"""
    smooth: R = None
    """the same with a soft hand-over of --width octaves"""
    linear: Span = None
    """8-64: transfer up to 8, base from 64 on, linear in log2 of the resolution between"""
    cosine: Span = None
    """as --linear, eased by a cosine"""
    smoothstep: Span = None
    """as --linear, eased by 3t² − 2t³"""
    band: Span = None
    """64-256: transfer at these resolutions only"""
    only: Annotated[str | None, _typed("R,…")] = None
    """8,32: transfer at the chosen resolutions only"""
    alpha: Annotated[str | None, _typed("NUMBER|TABLE")] = None
    """one share of transfer for all layers, or "4=1 16=0.6 32=0" with the rest between"""
    alpha_layers: Annotated[str | None, _typed("A0,A1,…")] = None
    """one share for each w"""
    preset: Annotated[str | None, _typed("NAME")] = None
    """a schedule by name: ukiyo-e, toonify, gentle, texture, halfway"""
    width: Number = None
    """softness in octaves of --smooth (and of --swap with --compat pinkney)"""
    level: Annotated[str | None, _typed("0|1")] = None
    """1: hand over one layer later, conv0 of the next block still from transfer"""
    invert: bool = False
    """1 − α: structure from base, texture from transfer"""
    compat: Annotated[str | None, _typed("pinkney")] = None
    """pinkney: --swap with --level and --width as the 2020 script computed them"""

    def schedule(self) -> "Schedule":
        """The schedule asked for; InputError unless it is exactly one."""
        from interp.schedule_text import parse

        given = [name for name in (*SHAPES, "preset") if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"{' and '.join(_flag(name) for name in given)}: one too many" if given else "no schedule"
            raise InputError(what, "pass one, such as --swap 16")
        name, value = given[0], getattr(self, given[0])
        if self.compat not in (None, "pinkney"):
            raise InputError(f"--compat {self.compat}: no such rule", "use pinkney")
        if self.compat and name != "swap":
            raise InputError("--compat pinkney goes with --swap", "pass --swap 16")
        text = value if name == "preset" else f"{'pinkney' if self.compat else name.replace('_', '-')}={value}"
        options = [f"{key}={getattr(self, key)}" for key in ("level", "width") if getattr(self, key) is not None]
        return parse(":".join([text, *options, *(["invert"] if self.invert else [])]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origins:
    """Where the tensors come from that α does not reach."""

    mapping: Annotated[str | None, _typed("base|transfer|NUMBER")] = None
    """base, transfer or a share of transfer (default: the model with the largest share at 4×4)"""
    noise: Annotated[str | None, _typed("base|transfer")] = None
    """base or transfer, never averaged (default: likewise)"""
    w_avg: Annotated[str | None, _typed("base|transfer|NUMBER")] = None
    """base, transfer or a share (default: the mapping's)"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pictures:
    """What the sheet shows."""

    seeds: str = "0-7"
    """one column for each"""
    psi: str = "0.7"
    """truncation towards each model's w_avg; 1 is none"""
    class_: Annotated[str | None, _typed("N", "class")] = None
    """of conditional models"""
    same_w: bool = False
    """one w, from the base's mapping, for all rows: shows the effect most clearly"""


def blend(
    base: File = None,
    transfer: File = None,
    shape: Annotated[Shape, Flat] = Shape(),
    origins: Annotated[Origins, Flat] = Origins(),
    pictures: Annotated[Pictures, Flat] = Pictures(),
    out: Annotated[str | None, _typed("PATH")] = None,
    overwrite: bool = False,
) -> None:
    """Blends two StyleGAN2 models layer by layer and shows what came out.

    python -m interp.blend --base ffhq.pkl --transfer toon.pkl --swap 16 --out blend.safetensors

    Args:
      base: the model at α = 0: a file or folder of any kind, or the name of a model that ships with the package.
      transfer: the model at α = 1.
      out: .safetensors, .pkl, or a folder (Orbax); .png for the sheet alone. Default: ./BASE-x-TRANSFER-SCHEDULE.
      overwrite: replace what is there.
    """
    schedule = shape.schedule()
    seeds = doors.seeds(pictures.seeds)
    psi = doors.number(pictures.psi, "--psi")
    class_idx = None if pictures.class_ is None else doors.natural(pictures.class_, "--class")
    paths = _pair(base, transfer)
    model_out, sheet_out = _outputs(out, paths, schedule, overwrite)
    models = _read_all(paths)
    print(f"base {_provenance(models[0], paths[0])} × transfer {_provenance(models[1], paths[1])}")

    from interp.mix import blend as blend_models

    mixed = blend_models(models[0], models[1], schedule, **dataclasses.asdict(origins))
    _say_decisions(mixed, schedule)
    picture = _draw([models[0], mixed, models[1]], paths, schedule, seeds, psi, class_idx, pictures.same_w)
    _write(mixed, picture, model_out, sheet_out, overwrite, {"seeds": pictures.seeds, "psi": psi})


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _pair(base: str | None, transfer: str | None) -> list[str]:
    shipped = stylegan_jax.shipped_models()
    named = {"--base": base or "portraits", "--transfer": transfer or "toons"}
    given = {"--base": base, "--transfer": transfer}
    absent = [flag for flag, name in named.items() if not given[flag] and name not in shipped]
    if absent:
        raise InputError("no model named, and none ships with this version", f"pass {' and '.join(absent)} MODEL")
    return list(named.values())


def _read_all(paths: list[str]) -> "list[Model]":
    models = []
    for path in paths:
        model = stylegan_jax.load(path, networks=("G_ema",))
        models.append(dataclasses.replace(model, lineage={**model.lineage, "source": Path(path).name}))
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise InputError("is both base and transfer", "pass two different models", file=paths[0])
    return models


def _sha(model: "Model") -> str | None:
    return model.lineage.get("sha256")


def _provenance(model: "Model", path: str) -> str:
    from interp.relatives import describe

    facts = [os.path.abspath(path), describe(model.config.generator)]
    if sha := _sha(model):
        facts.append(f"sha256 {sha[:12]}")
    return f"{Path(path).name} ({', '.join(facts)})"


def _outputs(out: str | None, paths: list[str], schedule: "Schedule", overwrite: bool) -> tuple[Path | None, Path]:
    """Places of model and sheet, checked before any work is done."""
    from stylegan_jax import outputs

    slug = re.sub(r"[^\w.,]+", "-", schedule.text)
    place = Path(out) if out is not None else Path(f"{Path(paths[0]).stem}-x-{Path(paths[1]).stem}-{slug}")
    model_out = None if place.suffix.lower() == ".png" else place
    sheet_out = place if model_out is None else place.with_name(f"{_stem(place)}.png")
    for target in filter(None, (model_out, sheet_out)):
        if os.path.realpath(target) in {os.path.realpath(path) for path in paths}:
            raise InputError("is one of the models to blend", "give the output another name", file=target)
        outputs.check_place(target, overwrite=overwrite)
    return model_out, sheet_out


def _stem(place: Path) -> str:
    return place.stem if place.suffix in (".safetensors", ".pkl", ".pt") else place.name


def _say_decisions(mixed: "Model", schedule: "Schedule") -> None:
    recipe = mixed.lineage["recipe"]
    sources = ", ".join(f"{field} from {recipe[field]}" for field in ("mapping", "w_avg", "noise"))
    print(f"{schedule.text}: {sources}")
    if notes := recipe.get("notes"):
        print(f"resolved: {'; '.join(notes)}")


def _draw(
    models: "list[Model]",
    paths: list[str],
    schedule: "Schedule",
    seeds: list[int],
    psi: float,
    class_idx: int | None,
    same_w: bool,
) -> Any:
    from interp.sheets import rows_of
    from stylegan_jax.images import sheet

    rows = rows_of(models, seeds, psi=psi, class_idx=class_idx, same_w=same_w)
    names = [Path(path).stem for path in paths]
    return sheet(
        rows,
        title=f"{schedule.text}   psi {psi:g}{'   one w' if same_w else ''}",
        row_labels=[f"base {names[0]}", "blend", f"transfer {names[1]}"],
        column_labels=[f"seed {seed}" for seed in seeds],
    )


def _write(
    mixed: "Model", picture: Any, model_out: Path | None, sheet_out: Path, overwrite: bool, shown: dict[str, Any]
) -> None:
    from stylegan_jax.images import write_png

    if model_out is not None:
        stylegan_jax.save(mixed, model_out, overwrite=overwrite)
    write_png(sheet_out, picture, {**mixed.lineage, **shown}, overwrite=overwrite)
    print(f"wrote {f'{model_out} and ' if model_out else ''}{sheet_out}")


if __name__ == "__main__":
    sys.exit(doors.run(blend, "python -m interp.blend"))
