"""The command `python -m interp.film`: blends that move, as MP4, WebP or GIF."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

import stylegan_jax
from interp.argument_errors import flags_named
from interp.options import File, Models, Number, in_order, models_of
from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.edits import Edits
from stylegan_jax.commands.flags import Flat, Many, typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.motion import At
    from interp.replay import Loaded
    from interp.scenes import Scene

Moving = Annotated[str | None, typed("A..B")]
Source = Annotated[str | None, typed("base|transfer")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion:
    """What moves: choose one of swap, smooth, alpha, schedule."""

    swap: Moving = None
    """the hand-over resolution, 2..64; at 2 nothing comes from transfer"""
    smooth: Moving = None
    """the same, soft by --width octaves"""
    width: Moving = None
    """softness of --smooth, which may move too (default: 0.5)"""
    alpha: Moving = None
    """one share for all layers, 0..1"""
    schedule: Annotated[str | None, typed("TEXT")] = None
    """one that stands still, such as band=64-256, for films in which the seeds move"""

    def at(self) -> "At":
        """Time of 0 … 1 → schedule; InputError unless the options say one."""
        from interp.motion import moving

        chosen = [name for name in ("swap", "smooth", "alpha", "schedule") if getattr(self, name) is not None]
        if len(chosen) != 1:
            what = f"{' and '.join(f'--{name}' for name in chosen)}: one too many" if chosen else "nothing to blend"
            raise InputError(what, "pass one of --swap 2..64, --smooth 4..64, --alpha 0..1, --schedule swap=16")
        rule = chosen[0]
        if self.width is not None and rule != "smooth":
            raise InputError(f"--{rule} takes no --width", "use --smooth")
        return moving(rule, getattr(self, rule), self.width)


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
        return values.natural(self.fps, "--fps", low=1, high=120)

    @property
    def count(self) -> int:
        """Frames in all."""
        return max(1, round(values.number(self.seconds, "--seconds", low=0, high=3600) * self.rate))

    def side(self, suffix: str) -> int | None:
        """The largest side of a picture, in pixels; None: as it is, but for small ones."""
        from interp.scenes import usual_size

        return usual_size(suffix) if self.size is None else values.natural(self.size, "--size", low=16, high=4096)


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
    edits: Annotated[Edits, Flat] = dataclasses.field(default_factory=Edits)
    mapping: Source = None
    """whose w (default: the model with the largest share at 4×4 when the film begins)"""
    noise: Source = None
    """whose noise buffers (default: likewise)"""

    def check(self) -> None:
        """Raises InputError for options that do not go together."""
        self.edits.check()
        if self.seeds is not None and self.w:
            raise InputError("--seeds and --w: one too many", "pass one of them")
        if (self.walk or self.w_space is not None) and not self.w:
            flag = "--walk" if self.walk else "--w-space"
            raise InputError(f"{flag} goes with --w", "pass --w FILE; seeds walk as --seeds 1..5..9")


@flags_named()
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
    from interp import scenes
    from interp.outputs import joined
    from interp.rendering import Renderer
    from interp.replay import read_models
    from stylegan_jax.pictures import video
    from stylegan_jax.storage import atomic

    shipped = stylegan_jax.shipped_models()
    cast.check()
    recipe = models_of(*in_order(models, base, transfer), shipped)
    path = Path(out or f"{joined(recipe)}{video.default_suffix()}")
    suffix = path.suffix.lower()
    video.check_suffix(suffix)
    scene = _scene(motion, cast, timing, suffix)
    atomic.output_path(path, overwrite=overwrite)
    loaded = read_models(recipe, None, shipped)
    found, labels = [each.model for each in loaded], [each.label for each in loaded]
    if cast.w:
        scene = scene.with_files(cast.w, cast.w_space, found[0], walk=cast.walk)
    if motion.schedule is not None:
        scene.at(0.0).check(found[0].config.generator.resolutions)
    scene.view.check(found, labels)
    scene = dataclasses.replace(scene, **cast.edits.step(found[0], seeds=not cast.w).of_seeds)
    renderer, sources = Renderer(found, labels), scene.sources(len(loaded) - 1, cast.mapping, cast.noise)
    print(f"mapping from {sources.mapping}, noise from {sources.noise}")
    note = _note(loaded, motion, cast, timing)
    scenes.write(path, scene, renderer, sources, fps=timing.rate, note=note, overwrite=overwrite)
    print(f"wrote {path}: {scene.count} frames, {scene.count / timing.rate:g} s")


def _scene(motion: Motion, cast: Cast, timing: Timing, suffix: str) -> "Scene":
    from interp.motion import parse_walks
    from interp.scenes import SEEDS, Scene

    return Scene(
        at=motion.at(),
        walks=parse_walks(cast.seeds or SEEDS, values.seeds),
        count=timing.count,
        psi=values.number(cast.psi, "--psi") if cast.psi is not None else 1.0 if cast.w else Scene.psi,
        class_idx=values.label(cast.class_),
        loop=timing.loop,
        ease=timing.ease,
        size=timing.side(suffix),
    )


def _note(loaded: "Sequence[Loaded]", *options: Motion | Cast | Timing) -> str:
    """What made the film: models, and the options that were given."""
    models = [{"path": each.name, "sha256": each.sha256} for each in loaded]
    settings = {key: value for part in options for key, value in dataclasses.asdict(part).items()}
    given = {key: value for key, value in settings.items() if value not in (None, ())}
    return json.dumps({"models": models, **given}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(cli.run(film, "python -m interp.film"))
