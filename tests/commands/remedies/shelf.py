"""The models and files that every case finds in its working directory."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

import convert
import stylegan_jax as sj
from stylegan_jax.storage import checkpoint
from tests.tiny_models import tiny_model


def fill(folder: Path) -> None:
    """Writes them."""
    small = {"ffhq": 0, "toon": 1}
    for name, seed in small.items():
        sj.save(tiny_model(seed), folder / f"{name}.safetensors")
    sj.save(tiny_model(0, img_resolution=32), folder / "large.safetensors")
    sj.save(tiny_model(0, c_dim=3), folder / "classes.safetensors")
    sj.save(tiny_model(0, w_avg_beta=None), folder / "flat.safetensors")
    sj.save(tiny_model(0, discriminator=True), folder / "whole.safetensors")
    sj.save(tiny_model(0, discriminator=True, img_resolution=8), folder / "eight.safetensors")
    for name in ("official.pkl", "rosinality.pt", "ours"):
        convert.write(tiny_model(0), folder / name)
    d_only = tiny_model(0, discriminator=True)
    only = dataclasses.replace(d_only, networks={"D": d_only.networks["D"]})
    checkpoint.save(only, folder / "d.safetensors")
    g_only = dataclasses.replace(d_only, networks={"G": d_only.networks["G"], "D": d_only.networks["D"]})
    checkpoint.save(g_only, folder / "g.safetensors")
    checkpoint.save(dataclasses.replace(d_only, networks={"G": d_only.networks["G"]}), folder / "g-alone.safetensors")
    config = d_only.config.generator
    ws = np.random.RandomState(0).standard_normal((2, config.num_ws, config.w_dim)).astype(np.float32)
    np.save(folder / "w.npy", ws)
    np.savez(folder / "several.npz", a=ws, b=ws)
    np.save(folder / "wide.npy", np.zeros((2, 7, 5), np.float32))
    pictures(folder / "photos")


def pictures(folder: Path, count: int = 4, size: int = 8) -> None:
    """A folder of small pictures."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    for i in range(count):
        Image.fromarray(random.randint(0, 256, (size, size, 3), np.uint8)).save(folder / f"{i}.png")
