"""Pictures of a blend: the same seeds through every model, one row for each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from stylegan_jax.checkpoint import Model
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import map_seeds, sample, sample_ws

Row = UInt8[np.ndarray, "n h w c"]


def rows_of(
    models: Sequence[Model],
    seeds: Sequence[int],
    *,
    psi: float = 0.7,
    class_idx: int | None = None,
    same_w: bool = False,
) -> list[Row]:
    """The images of `seeds` by each model, truncated by its own `w_avg`.

    Args:
      models: the base first.
      class_idx: for those of the models that are conditional.
      same_w: feed the w of the base's mapping to all models.

    Raises:
      InputError: a class that no model takes, or none where one needs it.
    """
    if class_idx is not None and all(model.config.generator.c_dim == 0 for model in models):
        raise InputError(f"--class {class_idx}: none of the models is conditional", "leave it away")
    if same_w:
        ws = map_seeds(models[0], seeds, truncation_psi=psi, class_idx=_class(models[0], class_idx))
        return [np.concatenate(list(sample_ws(model, ws))) for model in models]
    return [
        np.concatenate(list(sample(model, seeds, truncation_psi=psi, class_idx=_class(model, class_idx))))
        for model in models
    ]


def _class(model: Model, class_idx: int | None) -> int | None:
    return class_idx if model.config.generator.c_dim > 0 else None
