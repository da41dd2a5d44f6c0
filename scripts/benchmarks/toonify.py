"""How good projections and their toons are, on photographs: likeness, toon distance, and who is known again.

scripts/bench toonify IMAGES [COUNT] [--base portraits --transfer toons] [--likeness 0.25] [--psi 0.8]
                      [--steps 250] [--start mean|encoder] [--json toonify.json]
scripts/bench toonify IMAGES 80 --fast        by the base's encoder, which was trained on nine tenths of the portraits

IMAGES are aligned as the base knows faces. Photographs that the base was trained on flatter it: keep some back.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_jax.commands import cli

SWAPS = (16, 32)
SIMILAR, NEAR = 0.65, 1.5  # MS-SSIM and mean square in P_N of a projection that is good enough to be shown


def main(argv: list[str] | None = None) -> None:
    """Prints a table; the same as JSON where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("count", nargs="?", type=int, default=16)
    parser.add_argument("--base", default="portraits")
    parser.add_argument("--transfer", default="toons")
    parser.add_argument("--likeness", type=float, default=None, help="of the projections that are shown as toons")
    parser.add_argument("--psi", type=float, help="truncation of the ws, as interp.toonify has it by default")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--start", choices=("mean", "encoder"), default="mean")
    parser.add_argument("--fast", action="store_true", help="by the base's encoder, as interp.toonify --fast")
    parser.add_argument("--no-proof", dest="proof", action="store_false", help="leave free W+ out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    cli.set_up_jax()
    import stylegan_jax
    from interp.given import truncated
    from interp.rendering import Renderer
    from interp.toons import PSI
    from stylegan_jax.commands import encoders
    from stylegan_jax.projection.latentspace import latent_space
    from stylegan_jax.projection.project import LIKENESS, project, seen, settings_of

    labels = [options.base, options.transfer]
    models = [stylegan_jax.load(label, networks=["G_ema"]) for label in labels]
    pictures = photographs(options.images, models[0].config.generator, options.count)
    space = latent_space(models[0])
    found: dict[str, Any] = {"photographs": len(pictures)}
    if options.proof and not options.fast:
        found["free W+, pixels"] = proof(models[0], pictures, space)
    if options.fast:
        made, found["toonify --fast"] = encoded(models[0], pictures, space)
    else:
        likeness = LIKENESS if options.likeness is None else options.likeness
        settings = settings_of(likeness=likeness, steps=options.steps)
        start = None
        if options.start == "encoder":
            start = encoders.encoded(models[0], list(pictures), encoders.of_model(models[0]))[0].ws
        made = project(models[0], pictures, settings, space=space, start=start)
        found[f"toonify, likeness {likeness:g}"] = likenesses(made, space)
    psi = options.psi or (1 if options.fast else PSI)
    if psi != 1:
        made = seen(models[0], pictures, truncated(made.ws, models[0], psi), made.losses)
        found[f"truncated, psi {psi:g}"] = likenesses(made, space)
    found["toons"] = toons(Renderer(models, labels), pictures, made)
    printed(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def photographs(images: str, config: Any, count: int) -> np.ndarray:
    """Evenly chosen pictures of a folder, resized as training resizes them."""
    from stylegan_jax.train.data.dataset import Dataset

    data = Dataset.open(images, resolution=config.img_resolution, channels=config.img_channels)
    chosen = np.linspace(0, len(data), count, endpoint=False).astype(int)
    return np.stack([data.image(int(i)) for i in chosen])


def proof(model: Any, pictures: np.ndarray, space: Any) -> dict[str, float]:
    """What descent can reach: every w free, pixels alone."""
    from stylegan_jax.projection.project import project, settings_of

    made = project(model, pictures, settings_of(likeness=1, steps=400), loss="pixels", space=space)
    return {"PSNR (dB)": float(made.psnr.mean()), "MS-SSIM": float(made.ms_ssim.mean())}


def encoded(model: Any, pictures: np.ndarray, space: Any) -> tuple[Any, dict[str, float]]:
    """What the model's encoder answers, how good it is, and how long all of them took once it was compiled."""
    import time

    from stylegan_jax.commands import encoders

    quick = encoders.of_model(model)
    encoders.encoded(model, list(pictures), quick)
    begun = time.perf_counter()
    made, _ = encoders.encoded(model, list(pictures), quick)
    return made, {"seconds for all": time.perf_counter() - begun, **likenesses(made, space)}


def likenesses(made: Any, space: Any) -> dict[str, float]:
    """How like their photographs images are, how far their ws lie from the model's own, how many are good in both."""
    import jax.numpy as jnp

    from stylegan_jax.projection.latentspace import in_p_n

    away = np.square(np.asarray(in_p_n(jnp.asarray(made.ws), space.center, space.whiten))).mean((1, 2))
    good = (made.ms_ssim >= SIMILAR) & (away <= NEAR)
    return {
        "PSNR (dB)": float(made.psnr.mean()),
        "MS-SSIM": float(np.median(made.ms_ssim)),
        "P_N²": float(np.median(away)),
        f"share with MS-SSIM >= {SIMILAR} and P_N² <= {NEAR}": float(good.mean()),
    }


def toons(renderer: Any, pictures: np.ndarray, made: Any) -> dict[str, Any]:
    """Of each hand-over: who is known again; of two, the toon distance beside the blend's own samples'."""
    from interp.quality import Strangeness, images_of
    from interp.schedules import swap
    from stylegan_jax.scores.features import proxy_features

    seen, found = proxy_features(pictures), {}
    found["base"] = {"retrieval@1": known_again(seen, proxy_features(made.images))}
    for r in renderer.config.resolutions:
        images = images_of(renderer, swap(r), made.ws)
        row: dict[str, float] = {"retrieval@1": known_again(seen, proxy_features(images))}
        if r in SWAPS:
            strange = Strangeness(renderer, swap(r))
            distances, usual, wide = strange(images), strange.of_samples(0.7), strange.of_samples(1.0)
            row["toon distance, median"] = float(np.median(distances))
            row["of samples at psi 0.7, median"] = float(np.median(usual))
            row["of samples at psi 1, median"] = float(np.median(wide))
            row["of samples at psi 1, mean"] = float(wide.mean())
            row["share within the median at psi 1"] = float((distances <= np.median(wide)).mean())
            row["share within the mean at psi 1"] = float((distances <= wide.mean()).mean())
        found[f"swap {r}"] = row
    return found


def known_again(photographs: np.ndarray, images: np.ndarray) -> float:
    """Share of the images that are nearest to their own photograph: cosine of features without each set's mean."""
    scale = photographs.std(0) + 1e-6
    one, two = ((each - each.mean(0)) / scale for each in (photographs, images))
    one, two = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, two))
    return float(((two @ one.T).argmax(1) == np.arange(len(one))).mean())


def printed(found: dict[str, Any], indent: str = "") -> None:
    """Nested figures, one a line."""
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            printed(value, indent + "  ")
        else:
            print(f"{indent}{name:<{50 - len(indent)}} {value:10.3f}")


if __name__ == "__main__":
    main()
