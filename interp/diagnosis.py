"""What stands between two models and their blend, as lines of text and as a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from interp.charts import heatmap
from interp.distances import DIVERGED, FINE_TUNED, distances, judge
from interp.relatives import describe, layout_differences
from stylegan_jax.storage.checkpoint import Model

COLUMNS = {
    "weight": "weights",
    "affine": "affine",
    "bias": "biases",
    "noise": "noise",
    "torgb": "ToRGB",
    "const": "const",
}
"""Kinds of tensors, as `alphas.KINDS` names them, and the heads of their columns."""


class Diagnosis:
    """Layouts, distances and kinship of two models' G_ema.

    Attributes:
      labels: what the two are called.
      verdict: how they are related.
      rows: `mapping`, `4×4`, `8×8`, …
      table: for each row the relative distance in each of `COLUMNS`; None where there is no such tensor.
    """

    def __init__(self, base: Model, other: Model, labels: Sequence[str]):
        self.labels, self._models = labels, (base, other)
        weights = [model.networks["G_ema"] for model in self._models]
        self.verdict = judge(weights[0], weights[1])
        found = distances(weights[0], weights[1])
        resolutions = list(dict.fromkeys(each.resolution for each in found))
        known = {(each.resolution, each.kind.replace("mapping", "weight")): each.relative for each in found}
        self.table = [[known.get((r, kind)) for kind in COLUMNS] for r in resolutions]
        self.rows = ["mapping" if r is None else f"{r}×{r}" for r in resolutions]

    def lines(self) -> list[str]:
        """All of it as text."""
        words = f"from {FINE_TUNED:g} on fine-tuned, from {DIVERGED:g} on diverged"
        judged = [self.verdict.words(*self.labels), f"judged by the cosine of the convolutions: {words}"]
        return [*self._layout(), "", *self._columns(), "", *self._drift(), *judged]

    def to_json(self) -> dict[str, Any]:
        """The kinship and the distances as plain data."""
        verdict = self.verdict
        table = [dict(zip(COLUMNS, row, strict=True)) for row in self.table]
        return {
            "models": list(self.labels),
            "kinship": verdict.kinship,
            "cosine": verdict.weights.cosine,
            "distances": dict(zip(self.rows, table, strict=True)),
        }

    def _layout(self) -> list[str]:
        configs = [model.config for model in self._models]
        lines = [
            f"{label}: {describe(config.generator)}, {config.generator.architecture}, "
            f"{config.generator.mapping_layers} mapping layers, {config.generator.c_dim or 'no'} classes"
            for label, config in zip(self.labels, configs, strict=True)
        ]
        differences = layout_differences(configs[0], configs[1], self.labels)
        return [*lines, *(differences or ["one architecture: nothing is in the way of a blend"])]

    def _columns(self) -> list[str]:
        head = f"{'':<12}" + "".join(f"{name:>14}" for name in COLUMNS.values())
        cells = [[f"{number:14.3f}" if number is not None else f"{'':>14}" for number in each] for each in self.table]
        return [head, *(f"{row:<12}{''.join(line)}".rstrip() for row, line in zip(self.rows, cells, strict=True))]

    def _drift(self) -> list[str]:
        one, two = (model.networks["G_ema"].get("mapping.w_avg") for model in self._models)
        if one is None or two is None or one.shape != two.shape:
            return []
        return [f"w_avg moved by {np.linalg.norm(two - one) / max(np.linalg.norm(one), 1e-30):.3f} of its length"]

    def picture(self) -> tuple[UInt8[np.ndarray, "h w 3"], dict[str, Any]]:
        """The distances, by layer, and what made the picture."""
        verdict = self.verdict
        note = {"models": list(self.labels), "kinship": verdict.kinship, "cosine": verdict.weights.cosine}
        picture = heatmap(
            self.table,
            title=f"{self.labels[0]} and {self.labels[1]}: {verdict.kinship}",
            subtitle=f"relative distance of every layer; convolutions {verdict.weights.relative:.2f}, "
            f"cosine {verdict.weights.cosine:.2f}",
            row_labels=[row.replace("×", " x ") for row in self.rows],
            column_labels=list(COLUMNS.values()),
            top=2**0.5,
        )
        return picture, note
