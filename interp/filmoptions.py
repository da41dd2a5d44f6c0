"""The options of the command that films."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from interp.options import Number
from stylegan_jax import values
from stylegan_jax.commands.edits import Edits
from stylegan_jax.commands.flags import Flat, Many, typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.motion import At, Span
    from interp.scenes import Sweep
    from stylegan_jax.editing.edits import Step
    from stylegan_jax.storage.checkpoint import Model

Moving = Annotated[str | None, typed("A..B")]
Source = Annotated[str | None, typed("base|transfer")]
_FLAGS = {"class_": "--class", "edits": "--edit"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion:
    """How the blend moves: choose one of swap, smooth, alpha, schedule."""

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

    seconds: Number = None
    """length of the film (default: 10, or that of --audio, or of --keyframes)"""
    fps: Annotated[str | None, typed("N")] = None
    """frames per second (default: 24, or those of --frames)"""
    loop: bool = False
    """there and back, so that the end joins the beginning"""
    ease: Literal["linear", "smooth", "cosine"] = "smooth"
    """how movements start and stop"""
    size: Number = None
    """scale every picture to this many pixels (default: at least 512, so that there is something to watch; exactly 512
    for .webp and .gif)"""

    @property
    def filled(self) -> "Timing":
        """The same with what is a default said."""
        return dataclasses.replace(self, seconds=self.seconds or "10", fps=self.fps or "24")

    @property
    def rate(self) -> int:
        """Frames per second."""
        return values.natural(self.fps or "24", "--fps", low=1, high=120)

    @property
    def count(self) -> int:
        """Frames in all."""
        return max(1, round(values.number(self.seconds or "10", "--seconds", low=0, high=3600) * self.rate))

    def side(self, suffix: str) -> int | None:
        """The largest side of a picture, in pixels; None: as it is, but for small ones."""
        from interp.frames import usual_size

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
    psi: Annotated[str | None, typed("NUMBER|A..B")] = None
    """truncation towards w_avg; 1 is none; 0..1.2 moves (default: 0.7, and 1 for --w)"""
    class_: Annotated[str | None, typed("N|random|A,B,…", "class")] = None
    """of conditional models: a class, a label vector, or one for each seed"""
    edits: Annotated[Edits, Flat] = dataclasses.field(default_factory=Edits)
    mapping: Source = None
    """whose w (default: the model with the largest share at 4×4 when the film begins)"""
    noise: Source = None
    """whose noise buffers (default: likewise)"""

    def check(self) -> None:
        """Raises InputError for options that do not go together."""
        self.steady_edits.check()
        _ = self.truncation, [_swept(text) for text in self.swept]
        if self.seeds is not None and self.w:
            raise InputError("--seeds and --w: one too many", "pass one of them")
        if (self.walk or self.w_space is not None) and not self.w:
            flag = "--walk" if self.walk else "--w-space"
            raise InputError(f"{flag} goes with --w", "pass --w FILE; seeds walk as --seeds 1..5..9")

    @property
    def truncation(self) -> "float | Span":
        """Psi, or how it moves."""
        from interp.motion import FARTHEST, parse_span

        if self.psi is None:
            return 1.0 if self.w else 0.7
        limits = {"low": -FARTHEST, "high": FARTHEST}
        moves = ".." in self.psi
        return parse_span("psi", self.psi, **limits) if moves else values.number(self.psi, "--psi", **limits)

    @property
    def swept(self) -> tuple[str, ...]:
        """The edits whose strength moves, such as `age=-3..3`."""
        return tuple(text for text in self.edits.edit if ".." in text.rpartition("=")[2].partition(":")[0])

    @property
    def steady_edits(self) -> Edits:
        """The others; where there are none, no file of directions goes unused."""
        steady = tuple(text for text in self.edits.edit if text not in self.swept)
        return dataclasses.replace(
            self.edits, edit=steady, directions=self.edits.directions if steady or not self.swept else ()
        )

    def sweeps(self, model: "Model", *, driven: bool) -> "list[Sweep]":
        """The edits that move; all of them, if sound drives them. InputError for directions that are not there."""
        from interp.motion import Span
        from interp.scenes import Sweep

        found = []
        for text in self.swept:
            alone, span = _swept(text)
            step = dataclasses.replace(self.edits, edit=(alone,), style=()).step(model, seeds=not self.w)
            found.append(Sweep(_without_z(step, text), span))
        steady = self.steady_edits
        if driven and (steady.edit or steady.style):
            step = _without_z(steady.step(model, seeds=not self.w), "--edit")
            found.append(Sweep(step, Span(1.0, 1.0)))
        return found


def _without_z(step: "Step", text: str) -> "Step":
    """An edit that moves: only in w and in styles, as a walk is mapped before. InputError for one in z."""
    from interp.argument_errors import ArgumentError

    if step.z is not None:
        raise ArgumentError("edit", text, "goes along z, and cannot move", "write one strength, such as NAME=2")
    return step


def _swept(text: str) -> "tuple[str, Span]":
    """`age=-3..3:0-3` → `age=1:0-3` and how the strength moves; InputError for anything else."""
    from interp.argument_errors import ArgumentError
    from interp.motion import FARTHEST, parse_span
    from stylegan_jax.editing.directions import parse_edit

    name, _, rest = text.rpartition("=")
    strength, colon, layers = rest.partition(":")
    span = parse_span("edit", strength, low=-FARTHEST, high=FARTHEST)
    alone = f"{name}=1{colon}{layers}"
    if not name:
        raise ArgumentError("edit", text, "is no edit", "write NAME=-3..3, or NAME=-3..3:0-3 for some layers")
    parse_edit(alone)
    return alone, span


def not_given(*options: Any, but: tuple[str, ...] = ()) -> list[str]:
    """The flags of options that say something, though nobody may: all but those named."""
    given = [
        field.name
        for each in options
        for field in dataclasses.fields(each)
        if field.name not in but and getattr(each, field.name) != _usual(field)
    ]
    return [_FLAGS.get(name, f"--{name.replace('_', '-')}") for name in given]


def _usual(field: Any) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()
