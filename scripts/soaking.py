"""Works for long in one process and watches that nothing grows: memory, open files, threads, files left behind.

    scripts/soak [--minutes 30] [--seed 0]

The work, on tiny models and in random order: writing and reading every form, blends, samples, sheets, a few steps of a
projection, films, data sets, and damaged and unfit inputs between. Says every minute where it is. After the first
sixth, in which programs are compiled and caches fill, memory may grow by 20 KiB for a piece of work at most (the slope
of a line through all that was seen), and open files, threads and leftovers not at all; else it ends with 1. Reads
/proc, so it needs Linux.
"""

import argparse
import contextlib
import functools
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import stylegan_jax as sj
from convert import ws
from interp import filming
from interp.frames import drawn
from interp.motion import moving
from interp.rendering import Renderer
from interp.scenes import Scene, Take
from scripts.fuzzing.mutants import flipped
from stylegan_jax.commands.cli import set_up_jax
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images, latentfiles
from stylegan_jax.projection.project import project, settings_of
from stylegan_jax.train.data.dataset import Dataset
from tests.tiny_models import tiny_model

_STEEPEST = 20.0  # KiB for a piece of work
_FORMS = ("x.pkl", "x.pt", "x.safetensors", "x")
_SHARES = (3, 3, 3, 1)  # few Orbax folders: writing one keeps a KiB for each array (TensorStore 0.1.86)


class Work:
    """Pieces of work in a folder; each leaves there what it made, under the same names every time."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.rng = folder, random.Random(seed)
        self.models = [tiny_model(seed, discriminator=seed == 0) for seed in range(2)]
        self.pixels = sj.sample(self.models[0], range(4))
        (folder / "pictures").mkdir()
        for i, pixels in enumerate(self.pixels):
            images.write_png(folder / "pictures" / f"{i}.png", pixels)

    def convert(self) -> None:
        """Any form into any other."""
        given, wanted = self.rng.choices(_FORMS, _SHARES, k=2)
        made = sj.save(self.rng.choice(self.models), self.folder / given, overwrite=True)
        for _ in range(3):
            sj.load(made)
        sj.save(sj.load(made), self.folder / f"again-{wanted}", overwrite=True)

    def blend(self) -> None:
        """A blend by one of many schedules, and its sheet."""
        schedule = self.rng.choice((4, 8, "smooth=8:width=0.5", f"alpha={self.rng.random():.2f}", "band=4-8"))
        mixed = sj.blend(self.models[0], self.models[1], schedule)
        sheet = sj.sheet([self.models[0], mixed], range(self.rng.randrange(1, 5)), title=str(schedule))
        sheet.save(self.folder / "sheet.png")

    def sample(self) -> None:
        """Images and ws of a few seeds."""
        seeds = [self.rng.randrange(1 << 32) for _ in range(self.rng.randrange(1, 20))]
        for i, image in enumerate(sj.sample(self.models[1], seeds, psi=self.rng.random())):
            images.write_png(self.folder / f"{i}.png", image, {"seed": seeds[i]}, overwrite=True)

    def project(self) -> None:
        """A few steps, and a file of ws, read again."""
        found = project(self.models[0], self.pixels[:1], settings_of(steps=3), seed=self.rng.randrange(100))
        latentfiles.write_ws(self.folder / "w.npz", [found.ws], found.ws.shape, {})
        ws.read([str(self.folder / "w.npz")], num_ws=found.ws.shape[1], w_dim=found.ws.shape[2])

    def film(self) -> None:
        """A few frames."""
        scene = Scene(at=moving("swap", "4..16"), walks=[[self.rng.randrange(100), 1], [2]], count=4)
        renderer = Renderer(self.models, ["a", "b"])
        place = self.folder / self.rng.choice(("film.webp", "film.gif"))
        sources = scene.sources(1, None, None)
        take = Take(scene, renderer, sources)
        draw = lambda wanted: drawn(take, renderer, sources, size=64, wanted=wanted)  # noqa: E731
        filming.write(place, draw, 4, fps=12, note={}, overwrite=True)

    def data(self) -> None:
        """Pictures for training, cut anew or found in the cache."""
        side = self.rng.choice((8, 16))
        Dataset.open(self.folder / "pictures", resolution=side, labels=False, cache=self.folder / "cache")

    def damaged(self) -> None:
        """A model, a picture and ws with damage; most cannot be read."""
        for file in (self.rng.choice(_FORMS[:3]), "pictures/0.png", "w.npz"):
            place = self.folder / f"damaged-{Path(file).name}"
            if not (self.folder / file).exists():
                continue
            place.write_bytes(flipped((self.folder / file).read_bytes(), self.rng))
            with contextlib.suppress(InputError):
                images.read(place) if file.endswith("png") else self._read(place)

    def _read(self, place: Path) -> None:
        ws.read([str(place)], num_ws=6, w_dim=16) if place.suffix == ".npz" else sj.load(place)

    def unfit(self) -> None:
        """What does not fit a model is refused, and an output that is there is kept."""
        other = tiny_model(img_resolution=8)
        kept = sj.save(other, self.folder / "kept.safetensors", overwrite=True)
        for call in (
            functools.partial(sj.blend, self.models[0], other),
            functools.partial(sj.sample, self.models[0], [1], class_idx=3),
            functools.partial(sj.blend, self.models[0], self.models[1], "swap=5"),
            functools.partial(sj.save, other, kept),
            functools.partial(sj.load, self.folder / "nosuch.pkl"),
        ):
            try:
                call()
            except InputError:
                continue
            raise AssertionError(f"{call} was not refused")

    @property
    def all(self) -> list[Callable[[], None]]:
        """Every piece."""
        return [
            *(self.convert, self.blend, self.sample, self.project, self.film, self.data, self.damaged, self.unfit),
            *(self.sample, self.damaged),
        ]


def _held(folder: Path, elsewhere: Path) -> dict[str, float]:
    """What the process holds now, and the files of `folder` that no one finished or that lie `elsewhere`."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    unfinished = [p for p in folder.rglob("*") if any(word in p.name for word in (".partial", ".replaced", "-tmp"))]
    return {
        "MiB": int(status["VmRSS"].split()[0]) / 1024,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": int(status["Threads"].split()[0]),
        "leftovers": len(unfinished) + len(list(elsewhere.rglob("*"))),
    }


def _verdict(seen: list[tuple[float, dict[str, float]]], seconds: float) -> list[str]:
    """What grew after the first sixth."""
    late = [(time, held) for time, held in seen if time > seconds / 6]
    memory = [held["MiB"] for _, held in late]
    each, minute = (
        np.polyfit(along, memory, 1)[0]
        for along in ([held["pieces"] for _, held in late], [time / 60 for time, _ in late])
    )
    slope = 1024 * each
    print(f"memory: {memory[0]:.0f} to {memory[-1]:.0f} MiB, {minute:+.3f} MiB a minute, {slope:+.1f} KiB a piece")
    grown = ["memory"] if slope > _STEEPEST else []
    for name in ("files", "threads", "leftovers"):
        first, last = ([held[name] for _, held in half] for half in (late[: len(late) // 2], late[len(late) // 2 :]))
        print(f"{name}: at most {max(first):.0f} in the first half, {max(last):.0f} in the second")
        grown += [name] if min(last) > max(first) or (name == "leftovers" and last[-1]) else []
    return grown


def main() -> int:
    """Works, and prints what grew."""
    parser = argparse.ArgumentParser("soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    set_up_jax()
    with tempfile.TemporaryDirectory(prefix="soak-") as base:
        place, elsewhere = Path(base, "work"), Path(base, "temporary")
        place.mkdir()
        elsewhere.mkdir()
        tempfile.tempdir = str(elsewhere)
        seen, count = _worked(Work(place, options.seed), place, elsewhere, options.minutes * 60)
        grown = _verdict(seen, options.minutes * 60)
    print(
        f"{count} pieces of work in {options.minutes:g} minutes: "
        + (f"{', '.join(grown)} GREW" if grown else "nothing grew")
    )
    return int(bool(grown))


def _worked(work: Work, place: Path, elsewhere: Path, seconds: float) -> tuple[list[tuple[float, dict]], int]:
    """Does it all again and again; what was held after each round, and how many pieces there were."""
    begun, told, count, seen = time.monotonic(), 0.0, 0, []
    while (now := time.monotonic() - begun) < seconds:
        pieces = work.all
        work.rng.shuffle(pieces)
        for piece in pieces:
            piece()
        count += len(pieces)
        seen.append((time.monotonic() - begun, {**_held(place, elsewhere), "pieces": count}))
        if now > told:
            told = now + 60
            print(f"{now / 60:5.1f} min: {seen[-1][1]}", flush=True)
    return seen, count


if __name__ == "__main__":
    sys.exit(main())
