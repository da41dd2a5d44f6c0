"""The command `python -m interp.diagnose`: can two models be blended, and are they relatives?"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

import stylegan_jax
from interp.options import File, Models, pair, positioned, typed
from stylegan_jax.commands import cli
from stylegan_jax.storage.downloads import addresses

if TYPE_CHECKING:
    from interp.distances import Distance, Verdict
    from stylegan_jax.storage.checkpoint import Model

COLUMNS = {
    "weight": "weights",
    "affine": "affine",
    "bias": "biases",
    "noise": "noise",
    "torgb": "ToRGB",
    "const": "const",
}


def diagnose(
    models: Models = (),
    *,
    base: File = None,
    transfer: File = None,
    out: Annotated[str | None, typed("PNG")] = None,
    overwrite: bool = False,
) -> None:
    """Says whether two models can be blended and whether they are relatives, and how far apart their layers lie.

    python -m interp.diagnose ffhq.pkl toon.pkl --out distances.png

    Distances are relative: 0 is the same, about 1.4 what independent models have.

    Args:
      models: two models of any kind; --base and --transfer name them too.
      base: the first.
      transfer: the second.
      out: draw the distances, by layer, as a PNG.
      overwrite: replace what is there.
    """
    from interp.distances import DIVERGED, FINE_TUNED, distances, judge
    from stylegan_jax.pictures import encoding
    from stylegan_jax.storage import atomic

    if out is not None:
        encoding.form_of(out)
        atomic.check_place(out, overwrite=overwrite)
    paths = pair(*positioned(models, base, transfer), stylegan_jax.shipped_models())
    labels = [addresses.place_of(path).name for path in paths]
    loaded = [stylegan_jax.load(path, networks=("G_ema",)) for path in paths]
    print("\n".join(_layout(loaded, labels)))
    weights = [model.networks["G_ema"] for model in loaded]
    found, verdict = distances(weights[0], weights[1]), judge(weights[0], weights[1])
    rows, table = _table(found)
    print("\n".join(["", *_printed(rows, table), "", *_drift(weights), verdict.words(*labels)]))
    print(f"judged by the cosine of the convolutions: from {FINE_TUNED:g} on fine-tuned, from {DIVERGED:g} on diverged")
    if out is not None:
        _draw(out, rows, table, labels, verdict, overwrite)
        print(f"wrote {out}")


def _layout(models: "Sequence[Model]", labels: Sequence[str]) -> list[str]:
    from interp.relatives import describe, layout_differences

    configs = [model.config for model in models]
    lines = [
        f"{label}: {describe(config.generator)}, {config.generator.architecture}, "
        f"{config.generator.mapping_layers} mapping layers, {config.generator.c_dim or 'no'} classes"
        for label, config in zip(labels, configs, strict=True)
    ]
    differences = layout_differences(configs[0], configs[1], labels)
    return [*lines, *(differences or ["one architecture: nothing is in the way of a blend"])]


def _table(found: "Sequence[Distance]") -> tuple[list[str], list[list[float | None]]]:
    """Resolutions, and for each the relative distance of every kind of tensor; the mapping network is one kind."""
    places = list(dict.fromkeys(each.resolution for each in found))
    known = {(each.resolution, each.kind.replace("mapping", "weight")): each.relative for each in found}
    rows = [[known.get((place, kind)) for kind in COLUMNS] for place in places]
    return ["mapping" if place is None else f"{place}×{place}" for place in places], rows


def _printed(rows: Sequence[str], table: Sequence[Sequence[float | None]]) -> list[str]:
    head = f"{'':<12}" + "".join(f"{name:>14}" for name in COLUMNS.values())
    cells = [[f"{number:14.3f}" if number is not None else f"{'':>14}" for number in numbers] for numbers in table]
    return [head, *(f"{row:<12}{''.join(line)}".rstrip() for row, line in zip(rows, cells, strict=True))]


def _drift(weights: Sequence[dict[str, np.ndarray]]) -> list[str]:
    one, two = (leaves.get("mapping.w_avg") for leaves in weights)
    if one is None or two is None or one.shape != two.shape:
        return []
    return [f"w_avg moved by {np.linalg.norm(two - one) / max(np.linalg.norm(one), 1e-30):.3f} of its length"]


def _draw(
    out: str,
    rows: Sequence[str],
    table: Sequence[Sequence[float | None]],
    labels: Sequence[str],
    verdict: "Verdict",
    overwrite: bool,
) -> None:
    from interp.charts import heatmap
    from stylegan_jax.pictures import encoding

    facts: dict[str, Any] = {"models": list(labels), "kinship": verdict.kinship, "cosine": verdict.weights.cosine}
    picture = heatmap(
        table,
        title=f"{labels[0]} and {labels[1]}: {verdict.kinship}",
        subtitle=f"relative distance of every layer; convolutions {verdict.weights.relative:.2f}, "
        f"cosine {verdict.weights.cosine:.2f}",
        row_labels=[row.replace("×", " x ") for row in rows],
        column_labels=list(COLUMNS.values()),
        top=2**0.5,
    )
    encoding.write_picture(out, picture, facts, overwrite=overwrite)


if __name__ == "__main__":
    sys.exit(cli.run(diagnose, "python -m interp.diagnose"))
