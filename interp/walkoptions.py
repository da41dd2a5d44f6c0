"""The options of films in which latents walk: how, what moves with a sound, and the scene that all options make."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

from interp.filmoptions import Cast, Motion, Timing
from interp.options import Number
from stylegan_jax import values
from stylegan_jax.commands.flags import typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.loudness import Loudness
    from interp.scenes import Mix, Scene, Sound


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """How it gets from one to the next, and what moves along."""

    path: Literal["linear", "slerp", "spline", "circle", "noise"] = "linear"
    """through seeds: linear in w, slerp on the sphere of z, or spline, which does not stop at each (also
    through --w); from one seed around and back to it: circle, noise"""
    diameter: Number = None
    """of the circle (0..1; default 1, the widest) or of the loop through noise (0..20; default 3)"""
    mix: Annotated[str | None, typed("7..9:8-13")] = None
    """style mixing: these layers of all pictures come from another seed, or from a walk (default: the upper half)"""
    audio: Annotated[str | None, typed("FILE.wav")] = None
    """a sound whose loudness moves something"""
    audio_to: Literal["edit", "alpha", "speed"] = "alpha"
    """what it moves: the strengths of the edits, the way of the blend, or how fast walks go"""

    @property
    def round(self) -> bool:
        """Whether the path comes back to where it began."""
        return self.path in ("circle", "noise")

    def check(self, cast: Cast, motion: Motion) -> None:
        """Raises InputError for options that do not go together."""
        from interp.paths import IN_Z

        walks = ".." in (cast.seeds or "")
        if cast.w and self.path in IN_Z:
            raise InputError(
                f"--path {self.path} leads through z, and files hold w", "use --path spline, or pass --seeds 1..5..9"
            )
        if self.round and walks:
            raise InputError(
                f"--path {self.path} begins and ends at one seed", "write them side by side: --seeds 1,5,9"
            )
        if self.path in ("slerp", "spline") and not (walks or cast.walk or ".." in (self.mix or "")):
            raise InputError(
                f"--path {self.path}: nothing walks", "write --seeds 1..5..9, or pass --walk with --w FILE"
            )
        if self.diameter is not None and not self.round:
            raise InputError("--diameter goes with --path circle and --path noise", "pass --path noise")
        if self.audio_to != "alpha" and self.audio is None:
            raise InputError("--audio-to goes with --audio", "pass --audio FILE.wav")
        self._check_driven(cast, motion, walks=walks or cast.walk or self.round or ".." in (self.mix or ""))

    def _check_driven(self, cast: Cast, motion: Motion, *, walks: bool) -> None:
        """Raises InputError where the sound would move nothing."""
        moved = {
            "edit": (bool(cast.edits.edit), "pass --edit NAME=-3..3 --directions FILE"),
            "alpha": (motion.schedule is None, "pass --swap 2..64, or --audio-to speed"),
            "speed": (walks, "write --seeds 1..5..9, or pass --path noise"),
        }
        there, remedy = moved[self.audio_to]
        if self.audio is not None and not there:
            raise InputError(f"--audio {self.audio}: there is no {self.audio_to} that it could move", remedy)

    @property
    def breadth(self) -> float:
        """The diameter of a path that goes round."""
        from interp.paths import ROUND

        if not self.round:
            return 1.0
        usual = "1" if self.path == "circle" else "3"
        return values.number(self.diameter or usual, "--diameter", low=0.01, high=ROUND[self.path])

    @property
    def mixing(self) -> "Mix | None":
        """The layers that come from elsewhere; InputError for what is none."""
        from interp.argument_errors import ArgumentError
        from interp.motion import MOST_PICTURES, parse_walks
        from interp.scenes import Mix

        if self.mix is None:
            return None
        text, colon, layers = self.mix.partition(":")
        walks = parse_walks(text, lambda part: values.seeds(part, "--mix", most=MOST_PICTURES))
        if len(walks) != 1 or (self.round and len(walks[0]) > 1):
            raise ArgumentError("mix", self.mix, "more than one seed", "write one, such as 7:8-13")
        return Mix(walks[0], values.seeds(layers, "--mix", most=MOST_PICTURES) if colon else None)

    def sound(self, heard: "Loudness | None", count: int, fps: int) -> "Sound | None":
        """What moves with a sound."""
        from interp.scenes import Sound

        return None if heard is None else Sound(heard.levels(count, fps), self.audio_to)


def scene_of(motion: Motion, cast: Cast, way: Way, timing: Timing) -> "Scene":
    """What a film shows, but for what models say; InputError for options that are none."""
    from interp.motion import MOST_PICTURES, Span, parse_walks
    from interp.scenes import SEEDS, Scene

    psi = cast.truncation
    return Scene(
        at=motion.at(),
        walks=parse_walks(cast.seeds or SEEDS, lambda part: values.seeds(part, most=MOST_PICTURES)),
        count=timing.count,
        psi=psi if isinstance(psi, float) else 1.0,
        truncation=psi if isinstance(psi, Span) else None,
        class_idx=values.label(cast.class_),
        loop=timing.loop,
        ease=timing.ease,
        path=way.path,
        diameter=way.breadth,
        mix=way.mixing,
    )
