"""StyleGAN2 in JAX: read the weights people have, blend models layer by layer, sample at scale.

import stylegan_jax as sj

base, toon = sj.load("ffhq.pkl"), sj.load("toon.pkl")
mixed = sj.blend(base, toon, 16)
sj.sheet([base, mixed, toon], seeds=range(8)).save("sheet.png")
images = sj.sample(mixed, range(36), psi=0.7)

Wherever a model is taken, its path, address or name will do. `stylegan_jax.sampler.sample` yields batches instead of
one array; `interp.mix` and `interp.schedules` blend more than two models, by any schedule.
"""

from stylegan_jax import starting as starting  # before all else: it makes Ctrl-C quiet

# isort: split
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stylegan_jax.errors import InputError, in_python
from stylegan_jax.storage.shipped import shipped_models

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from interp.schedules import Schedule
    from stylegan_jax.storage.checkpoint import Model

    Source = Model | str | Path

__all__ = ["blend", "load", "sample", "save", "sheet", "shipped_models"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stylegan-jax")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(path: str | Path, *, networks: Sequence[str] | None = None) -> "Model":
    """Reads any model: ours, an official or TensorFlow `.pkl`, a `.pt`, a training run, a shipped or a public model.

    A bare name such as `portraits` is a shipped model; `./portraits` is a path. Nothing in a file is ever executed.
    What has an address is fetched once and kept in the user's cache.

    Args:
      path: the file, folder or name, or an address: `https://…/ffhq.pkl`, `hf://owner/repo/file`, `gs://…`, `s3://…`.
      networks: which of "G", "D", "G_ema" to read; all by default.

    Raises InputError, which says what the file is and what to do, if it holds no StyleGAN2 model.
    """
    from convert import read
    from stylegan_jax.storage.checkpoint import Model

    Model.html = _html
    with _python_words():
        return read(shipped_models().get(str(path), path), networks=networks)


def save(model: "Source", path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a model in the form of the suffix: `.safetensors`, `.pkl` (official), otherwise an Orbax directory.

    Raises InputError if `path` exists (unless `overwrite`).
    """
    from convert import write

    with _python_words():
        return write(_model(model), path, overwrite=overwrite)


def blend(
    base: "Source",
    transfer: "Source",
    schedule: "int | str | Schedule" = 16,
    *,
    mapping: Literal["base", "transfer"] | float | None = None,
    noise: Literal["base", "transfer"] | None = None,
) -> "Model":
    """Mixes two models layer by layer: α = 0 keeps `base`, α = 1 takes `transfer`.

    Args:
      base, transfer: structure comes from one, texture from the other.
      schedule: α by resolution: the resolution up to which layers are those of `transfer` (`--swap`), a text as on the
        command line (`"smooth=16:width=1"`), or one of `interp.schedules`.
      mapping, noise: whose mapping network and noise; by default those of the model with the larger share at 4×4.

    Raises InputError if the models cannot be blended, naming everything they differ in.
    """
    from interp import mix

    with _python_words():
        return mix.blend(_model(base), _model(transfer), schedule, mapping=mapping, noise=noise)


def sample(
    model: "Source",
    seeds: Iterable[int],
    *,
    psi: float = 1.0,
    cutoff: int | None = None,
    class_idx: Any = None,
    noise: Literal["const", "random", "none"] = "const",
    dtype: Literal["float32", "tf32", "bfloat16", "float16"] = "float32",
    batch: int | None = None,
    devices: int | None = None,
) -> "np.ndarray":
    """The images of seeds, the official ones, as one array: uint8 `[n h w c]`, on all local devices.

    Args:
      model: its G_ema is sampled.
      seeds: as many images.
      psi: truncation; below 1 is closer to the average face. `cutoff` truncates only the first layers.
      class_idx: the class of a conditional model, "random" for one drawn for each seed, or a vector as a tuple.
      noise: the stored noise, fresh noise for each seed, or none.
      dtype: of the convolutions.
      batch: images per device and step; by model and kind of device.
      devices: how many take part; all by default.

    Raises InputError for what does not fit the model.
    """
    import numpy as np

    from stylegan_jax import sampler

    with _python_words():
        model, how = _model(model), {"noise": noise, "dtype": dtype, "batch": batch, "devices": devices}
        drawn = {"truncation_psi": psi, "truncation_cutoff": cutoff, "class_idx": class_idx}
        config = model.config.generator
        empty = np.zeros((0, *config.image_size, config.img_channels), np.uint8)
        return np.concatenate([empty, *sampler.sample(model, seeds, **drawn, **how)])


def sheet(
    models: "Source | list[Source] | tuple[Source, ...] | Mapping[str, Source]",
    seeds: Iterable[int] = range(8),
    *,
    psi: float = 0.7,
    class_idx: Any = None,
    same_w: bool = False,
    title: str = "",
) -> "Image.Image":
    """A labelled picture: one row for each model, one column for each seed.

    Args:
      models: one, several, or several by the names that stand beside their rows.
      seeds: the same for every model.
      psi: truncation towards each model's own average.
      class_idx: for those of the models that are conditional.
      same_w: feed all models the w of the first, which shows the effect of a blend most clearly.
      title: what stands above.

    Raises InputError for what the models cannot show.
    """
    from PIL import Image

    from interp import sheets

    with _python_words():
        if isinstance(models, Mapping):
            names, loaded = list(models), [_model(each) for each in models.values()]
        else:
            loaded = [_model(each) for each in (models if isinstance(models, list | tuple) else [models])]
            names = [str(model.lineage.get("source", "")) for model in loaded]
        view = sheets.View(list(seeds), psi, class_idx)
        view.check(loaded, names)
        view = view.with_ws_of(loaded[0]) if same_w else view
        rows = [view.row(model) for model in loaded]
        picture = sheets.framed_sheet(rows, title=title, row_labels=names, column_labels=view.labels)
        return Image.fromarray(picture)


def _model(model: "Source") -> "Model":
    return load(model) if isinstance(model, str | Path) else model


@contextlib.contextmanager
def _python_words() -> Iterator[None]:
    """Errors name arguments instead of flags."""
    try:
        yield
    except InputError as error:
        raise in_python(error) from error.__cause__


def _html(model: "Model") -> str:
    """What a notebook shows of a model: its facts, and four images unless it wants to be told a class."""
    import base64
    import html
    import io

    from convert.description import describe

    shown = f"<pre>{html.escape(describe(model))}</pre>"
    if "G_ema" not in model.networks or model.config.generator.c_dim:
        return shown
    psi = 1.0 if model.config.generator.w_avg_beta is None else 0.7
    png = io.BytesIO()
    sheet(model, range(4), psi=psi).save(png, "PNG")
    return f'{shown}<img src="data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}">'
