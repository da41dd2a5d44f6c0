"""The command `python -m interp.film`: blends that move, as MP4, WebP or GIF."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

import stylegan_jax
from interp.options import File, Flat, Many, Models, Number, in_order, models_of, typed
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses

if TYPE_CHECKING:
    from interp.replay import Loaded
    from interp.scenes import Frame, Scene
    from interp.schedules import Schedule
    from stylegan_jax.storage.checkpoint import Model

Span = Annotated[str | None, typed("A..B")]
Source = Annotated[str | None, typed("base|transfer")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion:
    """What moves: choose one of swap, smooth, alpha, schedule."""

    swap: Span = None
    """the hand-over resolution, 2..64; at 2 nothing comes from transfer"""
    smooth: Span = None
    """the same, soft by --width octaves"""
    width: Span = None
    """softness of --smooth, which may move too (default: 0.5)"""
    alpha: Span = None
    """one share for all layers, 0..1"""
    schedule: Annotated[str | None, typed("TEXT")] = None
    """one that stands still, such as band=64-256, for films in which the seeds move"""

    def at(self) -> "Callable[[float], Schedule]":
        """Time of 0 … 1 → schedule; InputError unless the options say one."""
        from interp.motion import handover, moving_smooth, parse_span
        from interp.schedule_text import parse
        from interp.schedules import constant

        chosen = [name for name in ("swap", "smooth", "alpha", "schedule") if getattr(self, name) is not None]
        if len(chosen) != 1:
            what = f"{' and '.join(f'--{name}' for name in chosen)}: one too many" if chosen else "nothing to blend"
            raise InputError(what, "pass one of --swap 2..64, --smooth 4..64, --alpha 0..1, --schedule swap=16")
        name, text = chosen[0], getattr(self, chosen[0])
        if self.width is not None and name != "smooth":
            raise InputError(f"--{name} takes no --width", "use --smooth")
        if name == "schedule":
            still = parse(text)
            return lambda t: still
        if name == "alpha":
            share = parse_span("--alpha", text)
            return lambda t: constant(share.at(t))
        resolution = parse_span(f"--{name}", text, low=1, high=2048)
        if name == "swap":
            return lambda t: handover(resolution.in_octaves(t))
        return moving_smooth(resolution, parse_span("--width", self.width or "0.5", low=0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """How long, how fast, how large."""

    seconds: Annotated[str, tyro.conf.arg(metavar="NUMBER")] = "10"
    """length of the film"""
    fps: Annotated[str, tyro.conf.arg(metavar="N")] = "24"
    """frames per second"""
    loop: bool = False
    """there and back, so that the end joins the beginning"""
    ease: Literal["linear", "smooth", "cosine"] = "smooth"
    """how movements start and stop"""
    size: Number = None
    """scale every picture to this many pixels (default: at least 512, so that there is something to watch; exactly 512
    for .webp and .gif)"""

    @property
    def rate(self) -> int:
        """Frames per second."""
        return cli.natural(self.fps, "--fps", low=1, high=120)

    @property
    def count(self) -> int:
        """Frames in all."""
        return max(1, round(cli.number(self.seconds, "--seconds", low=0, high=3600) * self.rate))

    def side(self, suffix: str) -> int | None:
        """The largest side of a picture; None: as it is, but for small ones."""
        if self.size is not None:
            return cli.natural(self.size, "--size", low=16, high=4096)
        return None if suffix == ".mp4" else 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cast:
    """Whom the film shows."""

    seeds: Annotated[str | None, typed("1,5,9|1..5..9")] = None
    """1,5,9: side by side; 1..5..9: one that moves from each to the next (default: 0,1,2)"""
    w: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE …")] = ()
    """ws of projected images instead, side by side: .npy, .npz, .pt or folders of those"""
    w_space: Annotated[str | None, typed("w|w+")] = None
    """what a 2-D array is: n plain ws, or one W+ (default: W+ where its rows are as many as the model's layers)"""
    walk: bool = False
    """with --w: one picture that moves from each w to the next"""
    psi: Number = None
    """truncation towards w_avg; 1 is none (default: 0.7, and 1 for --w)"""
    class_: Annotated[str | None, typed("N|random|A,B,…", "class")] = None
    """of conditional models: a class, a label vector, or one for each seed"""
    mapping: Source = None
    """whose w (default: the model with the largest share at 4×4 when the film begins)"""
    noise: Source = None
    """whose noise buffers (default: likewise)"""

    def check(self) -> None:
        """Raises InputError for options that do not go together."""
        if self.seeds is not None and self.w:
            raise InputError("--seeds and --w: one too many", "pass one of them")
        if (self.walk or self.w_space is not None) and not self.w:
            flag = "--walk" if self.walk else "--w-space"
            raise InputError(f"{flag} goes with --w", "pass --w FILE; seeds walk as --seeds 1..5..9")


def film(
    models: Models = (),
    *,
    base: File = None,
    transfer: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="MODEL")] = (),
    motion: Annotated[Motion, Flat],
    cast: Annotated[Cast, Flat],
    timing: Annotated[Timing, Flat],
    out: Annotated[str | None, typed("PATH")] = None,
    overwrite: bool = False,
) -> None:
    """Films a blend whose hand-over, share, width or seed moves.

    python -m interp.film ffhq.pkl toon.pkl --seeds 1,5,9 --swap 2..64 --seconds 10 --out film.mp4

    python -m interp.film ffhq.pkl toon.pkl --seeds 1..5..9 --schedule swap=16 --loop --out walk.webp

    Args:
      models: those that the film begins with and goes to; --base and --transfer name them too.
      base: the model that the film begins with.
      transfer: the model it goes to; given again, it goes on to the next.
      out: .mp4 (needs PyAV), .webp or .gif. Default: BASE-x-TRANSFER.mp4, or .webp without PyAV.
      overwrite: replace what is there.
    """
    from interp import video
    from interp.replay import read_models
    from stylegan_jax.storage import atomic

    shipped = stylegan_jax.shipped_models()
    cast.check()
    recipe = models_of(*in_order(models, base, transfer), shipped)
    stems = "-x-".join(addresses.place_of(model.path).stem for model in recipe.models)
    place = Path(out or f"{stems}{video.default_form()}")
    video.check_form(place.suffix.lower())
    scene = _scene(motion, cast, timing, place.suffix.lower())
    atomic.check_place(place, overwrite=overwrite)
    loaded = read_models(recipe, None, shipped)
    scene = _with_ws(scene, cast, loaded[0].model)
    if motion.schedule is not None:
        scene.at(0.0).check(loaded[0].model.config.generator.resolutions)
    scene.view.check([each.model for each in loaded], [each.label for each in loaded])
    _write(place, scene, loaded, cast, timing.rate, _note(loaded, motion, cast, timing), overwrite)
    print(f"wrote {place}: {scene.count} frames, {scene.count / timing.rate:g} s")


def _with_ws(scene: "Scene", cast: Cast, base: "Model") -> "Scene":
    """The scene with the ws of --w, side by side or one after the other."""
    from interp.given import given_ws

    if not cast.w:
        return scene
    found = given_ws(cast.w, cast.w_space, base, psi=scene.psi, class_idx=scene.class_idx)
    places = range(len(found.values))
    return dataclasses.replace(scene, ws=found.values, walks=[list(places)] if cast.walk else [[i] for i in places])


def _scene(motion: Motion, cast: Cast, timing: Timing, suffix: str) -> "Scene":
    from interp.motion import parse_walks
    from interp.scenes import Scene

    return Scene(
        at=motion.at(),
        walks=parse_walks(cast.seeds or "0,1,2", cli.seeds),
        count=timing.count,
        psi=cli.number(cast.psi, "--psi") if cast.psi is not None else 1.0 if cast.w else 0.7,
        class_idx=cli.label(cast.class_),
        loop=timing.loop,
        ease=timing.ease,
        size=timing.side(suffix),
    )


def _write(
    place: Path, scene: "Scene", loaded: "list[Loaded]", cast: Cast, rate: int, note: str, overwrite: bool
) -> None:
    from tqdm import tqdm

    from interp import video
    from interp.rendering import Renderer
    from stylegan_jax.storage import atomic

    renderer = Renderer([each.model for each in loaded], [each.label for each in loaded])
    sources = scene.sources(len(loaded) - 1, cast.mapping, cast.noise)
    print(f"mapping from {sources.mapping}, noise from {sources.noise}")

    def frames() -> "Iterator[Frame]":
        yield from tqdm(scene.frames(renderer, sources), "frames", scene.count, disable=None, leave=False)

    with atomic.new_file(place, overwrite=overwrite) as file:
        video.write(file, frames(), form=place.suffix.lower(), fps=rate, note=note)


def _note(loaded: "list[Loaded]", motion: Motion, cast: Cast, timing: Timing) -> str:
    models = [{"path": each.name, "sha256": each.sha256} for each in loaded]
    settings = [dataclasses.asdict(part) for part in (motion, cast, timing)]
    given = {key: value for part in settings for key, value in part.items() if value not in (None, ())}
    return json.dumps({"models": models, **given}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(cli.run(film, "python -m interp.film"))
