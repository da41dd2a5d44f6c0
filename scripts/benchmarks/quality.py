"""Judges a pair by its samples: the blends beside their parents, dead seeds, and proxy-FID where images are given.

scripts/bench quality [BASE TRANSFER] [--images PORTRAITS TOONS] [--count 800] [--json quality.json]
"""

import argparse
import json
from pathlib import Path
from typing import Any

from stylegan_jax.commands import cli


def main(argv: list[str] | None = None) -> None:
    """Prints a table; the same as JSON where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["portraits", "toons"])
    parser.add_argument("--images", nargs=2, help="folders or zips of what the two were trained on")
    parser.add_argument("--count", type=int, default=800, help="images of each for proxy-FID")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    if len(options.models) != 2:
        parser.error("name a base and a transfer model")
    cli.set_up_jax()
    import stylegan_jax
    from interp.quality import quality

    labels = options.models[0], options.models[1]
    models = [stylegan_jax.load(name, networks=["G_ema"]) for name in labels]
    found = quality(models, labels)
    print("\n".join(found.lines()))
    numbers = found.to_json()
    if options.images:
        numbers["scores"] = [
            scores(model, images, options.count) for model, images in zip(models, options.images, strict=True)
        ]
        for label, each in zip(labels, numbers["scores"], strict=True):
            print(f"{label}: " + ", ".join(f"{name} {value}" for name, value in each.items()))
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1))


def scores(model: Any, images: str, count: int) -> dict[str, Any]:
    """`Score` of a model's samples against images, as training reports it."""
    import numpy as np

    from stylegan_jax.sampler import sample
    from stylegan_jax.scores.score import Score
    from stylegan_jax.train.data.dataset import Dataset

    config = model.config.generator
    data = Dataset.open(images, resolution=config.img_resolution, channels=config.img_channels)
    found = Score(data, count, config.img_resolution)(lambda seeds: np.concatenate(list(sample(model, seeds))))
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


if __name__ == "__main__":
    main()
