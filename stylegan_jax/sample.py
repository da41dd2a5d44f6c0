"""The command `python -m stylegan_jax.sample`: images of a model from seeds, from ws, or mixed."""

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from stylegan_jax import doors
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.checkpoint import Model
    from stylegan_jax.imagefolder import ImageFolder
    from stylegan_jax.jobs import Job

Value = Annotated[str | None, tyro.conf.arg(metavar="VALUE")]


def main(
    model: tyro.conf.Positional[str],
    /,
    *,
    out: str,
    seeds: Annotated[str | None, tyro.conf.arg(metavar="0-35,40")] = None,
    w: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None,
    styles: Annotated[str | None, tyro.conf.arg(metavar="ROWSxCOLS")] = None,
    layers: Annotated[str, tyro.conf.arg(metavar="0-6")] = "0-6",
    psi: Value = None,
    cutoff: Value = None,
    noise: Literal["const", "random", "none"] = "const",
    class_idx: Annotated[str | None, tyro.conf.arg(name="class", metavar="N")] = None,
    grid: bool = False,
    batch: Value = None,
    devices: Value = None,
    parallel: Literal["shard_map", "pmap"] = "shard_map",
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    overwrite: bool = False,
) -> None:
    """Samples images of a model on all local devices: the official seeds, the official pixels.

    python -m stylegan_jax.sample ffhq.pkl --seeds 0-35 --psi 0.7 --out faces

    python -m stylegan_jax.sample toon.pkl --w projected_w.npz --out toonified

    python -m stylegan_jax.sample ffhq.pkl --styles 85,100x55,821 --layers 0-6 --out mixed

    The same command run again goes on where it stopped.

    Args:
      model: a model file of any kind, a training run, or the name of a shipped model.
      out: folder for seed0000.png, …; made if it is missing.
      seeds: which seeds to sample.
      w: ws of projected images instead of seeds: projected_w.npz (key w) or .npy, [n w_dim] or [n num_ws w_dim].
      styles: seeds of rows x seeds of columns: the official style-mixing grid.
      layers: which layers of the rows the columns replace.
      psi: truncation; 1 by default, below 1 is closer to the average face.
      cutoff: truncate only the first layers.
      noise: the stored noise, fresh noise for each seed, or none.
      class_idx: the class of a conditional model.
      grid: also write all images as one, grid.png.
      batch: images per device and step. Images do not depend on the number of devices at one batch.
      devices: how many local devices take part; all by default.
      parallel: how they are driven; the images are the same.
      dtype: of the convolutions.
      overwrite: replace images of another model or setting.
    """
    given = {"--seeds": seeds, "--w": w, "--styles": styles}
    flags = [flag for flag, value in given.items() if value is not None]
    if len(flags) != 1:
        raise InputError(" and ".join(flags) or "nothing to sample", "pass one of --seeds, --w, --styles")
    truncation = {
        "psi": None if psi is None else doors.number(psi, "--psi"),
        "cutoff": None if cutoff is None else doors.natural(cutoff, "--cutoff"),
        "class_idx": None if class_idx is None else doors.natural(class_idx, "--class"),
    }
    options = {
        "batch": None if batch is None else doors.natural(batch, "--batch", low=1),
        "devices": None if devices is None else doors.natural(devices, "--devices", low=1),
        "parallel": parallel,
        "noise": noise,
        "dtype": dtype,
    }
    numbers = doors.seeds(seeds) if seeds is not None else []
    rows, columns = _two_lists(styles) if styles is not None else ([], [])
    chosen = doors.seeds(layers, "--layers")

    import stylegan_jax
    from stylegan_jax import jobs

    loaded = stylegan_jax.load(model, networks=["G_ema"])
    how = jobs.Truncation(**truncation)
    if w is not None:
        job = jobs.of_ws(loaded, w, how)
    elif styles is not None:
        job = jobs.of_styles(loaded, rows, columns, chosen, how, devices=options["devices"])
    else:
        job = jobs.of_seeds(loaded, numbers, how)
    _run(job, loaded, options, Path(out), sheet=grid or styles is not None, overwrite=overwrite)


def _two_lists(styles: str) -> tuple[list[int], list[int]]:
    parts = re.split("[x×]", styles)
    if len(parts) != 2:
        raise InputError("not of the form ROWSxCOLS", "write for example 85,100x55,821", file=f"--styles {styles}")
    return doors.seeds(parts[0], "--styles"), doors.seeds(parts[1], "--styles")


def _run(job: "Job", model: "Model", options: dict[str, Any], out: Path, *, sheet: bool, overwrite: bool) -> None:
    """Makes what is missing in the folder, then the sheet."""
    from stylegan_jax import checkpoint, sampler
    from stylegan_jax.imagefolder import ImageFolder

    config, source = model.config.generator, str(model.lineage.get("source"))
    if sheet:
        _check_sheet(job, config.img_resolution)
    options["batch"] = sampler.batching(config, len(job.names), **options).batch
    settings = {key: options[key] for key in ("batch", "noise", "dtype")}
    made_by = {"model": source, "model_sha256": checkpoint.fingerprint(model), **job.notes, **settings}
    recipe = {"recipe": model.lineage["recipe"]} if "recipe" in model.lineage else {}  # of a blend
    with ImageFolder(out, made_by, overwrite=overwrite) as folder:
        _fill(folder, job, options, recipe)
    print(f"{source}: {len(set(job.names))} images of {config.img_resolution}×{config.img_resolution}")
    print(_write_sheet(job, out, config.img_channels, made_by) if sheet else out)


def _fill(folder: "ImageFolder", job: "Job", options: dict[str, Any], note: dict[str, Any]) -> None:
    from tqdm import tqdm

    indices = {name: i for i, name in enumerate(job.names)}  # a seed named twice is one image
    missing = [indices[name] for name in folder.missing(indices)]
    with tqdm(total=len(indices), initial=len(indices) - len(missing), unit="img", disable=None) as progress:
        rest = iter(missing)
        for batch in job.render(missing, options) if missing else ():
            for image in batch:
                name = job.names[next(rest)]
                folder.write(name, image, {"image": name, **note})
            progress.update(len(batch))


def _shape(job: "Job") -> tuple[int, int]:
    cells = len(job.names) + job.blanks
    columns = job.columns or math.ceil(math.sqrt(cells))
    return -(-cells // columns), columns


def _check_sheet(job: "Job", resolution: int) -> None:
    """Refuses a sheet that no PNG can hold before the images are made."""
    from stylegan_jax import images

    rows, columns = _shape(job)
    images.check_size(columns * resolution, rows * resolution)


def _write_sheet(job: "Job", out: Path, channels: int, made_by: dict[str, Any]) -> Path:
    from stylegan_jax import images

    pictures = np.stack([images.read(out / name, channels) for name in job.names])
    pictures = np.concatenate([np.zeros((job.blanks, *pictures.shape[1:]), np.uint8), pictures])
    images.write_png(out / "grid.png", images.grid(pictures, _shape(job)[1]), made_by, overwrite=True)
    return out / "grid.png"


if __name__ == "__main__":
    sys.exit(doors.run(main, "python -m stylegan_jax.sample"))
