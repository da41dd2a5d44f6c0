"""The command `train-encoder`: a model → a network that finds ws for photographs at once."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.projection.schooling import Lesson
    from stylegan_jax.train.stopping import Ending

_TELL, _KEEP = 10.0, 300.0  # seconds between two lines, and between two saves


def train_encoder(
    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL", help_behavior_hint="")],
    /,
    *,
    out: Annotated[str, typed("FILE.safetensors")],
    images: Annotated[str | None, typed("FOLDER|ZIP")] = None,
    mirror: bool = False,
    kimg: Annotated[str, typed("NUMBER")] = "200",
    minutes: Annotated[str | None, typed("NUMBER")] = None,
    batch: Annotated[str, typed("N")] = "16",
    rounds: Annotated[str, typed("N")] = "2",
    lr: Annotated[str, typed("NUMBER")] = "0.003",
    seed: Annotated[str, typed("N")] = "0",
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Trains an encoder for a model: a small network that sees a picture and says which ws make it.

    python -m stylegan_jax train-encoder ffhq.pkl --out ffhq-encoder.safetensors --minutes 60

    python -m stylegan_jax train-encoder ffhq.pkl --images photos/ --mirror --out ffhq-encoder.safetensors

    Nothing but the model is needed, whose own images have known ws; photographs make it better at photographs. Ctrl-C
    ends it and keeps what there is; so does every fifth minute.

    Args:
      model: a model file of any kind, or the name of a shipped or public model.
      out: the file for the encoder.
      images: photographs, aligned as the model knows faces (python -m stylegan_jax align): half of what it sees.
      mirror: also the mirror images of those.
      kimg: thousands of looks at a picture.
      minutes: an end before that.
      batch: looks of a step.
      rounds: looks at each picture, from the second on beside what the model makes of its last answer.
      lr: learning rate, until a third; then it falls to 0.
      seed: of all that is drawn.
      resume: train on what lies at --out, with fresh moments of the optimiser.
      overwrite: replace what is there.
    """
    import stylegan_jax
    from stylegan_jax.projection import encoderfile
    from stylegan_jax.projection.schooling import Schooling, school
    from stylegan_jax.storage import atomic
    from stylegan_jax.train import stopping

    settings = Schooling(
        kimg=values.number(kimg, "--kimg", low=0.001, high=1e9),
        minutes=None if minutes is None else values.number(minutes, "--minutes", low=0.01, high=1e6),
        batch=values.natural(batch, "--batch", low=1, high=4096),
        rounds=values.natural(rounds, "--rounds", low=1, high=16),
        rate=values.number(lr, "--lr", low=1e-8, high=1),
        seed=values.natural(seed, "--seed", high=2**31 - 1),
    )
    settings.check()
    if Path(out).suffix.lower() != encoderfile.SUFFIX:
        raise InputError("is no place for an encoder", f"end it in {encoderfile.SUFFIX}", file=f"--out {out}")
    start = encoderfile.load(out) if resume else None
    atomic.output_path(out, overwrite=overwrite or resume)
    loaded = stylegan_jax.load(model, networks=["G_ema"])
    if start is not None:
        encoderfile.check_belongs(start, loaded, out)
    photographs, told = _photographs(images, loaded, mirror=mirror)
    lineage: dict[str, Any] = {"made_by": "stylegan_jax.train_encoder", "model": loaded.lineage.get("source"), **told}
    if start is not None:
        lineage["earlier"] = {name: start.lineage.get(name) for name in ("looks", "settings", "data")}

    lessons = school(loaded, settings, photographs=photographs, start=start, lineage=lineage)
    code = stopping.run(lambda ending: _held(lessons, out, ending))
    print(f"wrote {out}")
    return code


def _held(lessons: "Iterator[Lesson]", out: str, ending: "Ending") -> int:
    """Holds the lessons until they or the run end, keeps what they bring, and returns the exit code."""
    from stylegan_jax.projection import encoderfile

    ending.doing("the first step, which is compiled now")
    last, watch = None, _Watch()
    for last in lessons:
        ending.doing("a step", 1)
        if watch.saw(last):
            encoderfile.save(last.encoder(), out, overwrite=True)
        if ending.code:
            break
    assert last is not None
    encoderfile.save(last.encoder(), out, overwrite=True)
    return ending.code if last.share < 1 else cli.DONE


def _photographs(images: str | None, model: Any, *, mirror: bool) -> tuple[Any, dict[str, Any]]:
    """What --images names, and what the lineage says of it."""
    if images is None:
        if mirror:
            raise InputError("--mirror is about photographs", "leave --mirror out, or pass --images FOLDER")
        return None, {}
    from stylegan_jax.train.data.dataset import Dataset

    config = model.config.generator
    data = Dataset.open(images, resolution=config.img_resolution, channels=config.img_channels, mirror=mirror)
    print(data.summary)
    return data, {"data": data.description}


class _Watch:
    """Tells of the training in lines."""

    def __init__(self) -> None:
        self._begun = self._told = self._kept = time.monotonic()
        self._looks, self._seen = 0, []

    def saw(self, lesson: "Lesson") -> bool:
        """Takes a step; whether it is time to keep what there is."""
        import numpy as np

        now = time.monotonic()
        if not self._seen and not self._looks:
            self._begun = self._told = now  # what came before was compiling
            self._looks = lesson.looks
        self._seen.append(lesson.stats)
        if now - self._told >= _TELL or lesson.share >= 1:
            means = {name: np.mean([stats[name] for stats in self._seen], 0) for name in lesson.stats}
            speed = (lesson.looks - self._looks) / max(now - self._told, 1e-9)
            distances = " → ".join(f"{value:.3f}" for value in means["rounds"])
            print(
                f"kimg {lesson.looks / 1000:7.1f}  {speed:5.1f} img/s  distance {distances}  ws {means['ws']:.3f}"
                f"  P_N² {means['prior']:.2f}  {100 * lesson.share:3.0f} %",
                flush=True,
            )
            self._told, self._looks, self._seen = now, lesson.looks, []
        if now - self._kept < _KEEP:
            return False
        self._kept = now
        return True
