"""The command `python -m interp.film`: blends and faces that move, as MP4, WebM, WebP, GIF or a folder of frames."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import stylegan_jax
from interp.argument_errors import flags_named
from interp.filmoptions import Cast, Motion, Timing, not_given
from interp.options import File, Models, in_order, models_of
from interp.walkoptions import Way, scene_of
from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Flat, Many, typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.alphas import Sources
    from interp.frames import Moments
    from interp.loudness import Loudness
    from interp.recipes import Recipe
    from interp.rendering import Renderer

Named = tuple[str | None, tuple[str, ...]]
"""The base and the transfer models, as they were typed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """Where the film goes."""

    out: Annotated[str | None, typed("PATH")] = None
    """.mp4 or .webm (which need PyAV), .webp, .gif, or a folder of frames, which goes on where it was stopped. Default:
    BASE-x-TRANSFER.mp4, or .webp without PyAV"""
    overwrite: bool = False
    """replace what is there"""

    def place(self, recipe: "Recipe") -> Path:
        """The path; InputError for one that cannot be a film."""
        from interp.outputs import joined
        from stylegan_jax.pictures import video
        from stylegan_jax.storage import atomic

        path = Path(self.out or f"{joined(recipe)}{video.default_suffix()}")
        if path.suffix or self.out is None:
            video.check_suffix(path.suffix.lower())
            atomic.output_path(path, overwrite=self.overwrite)
        return path


@flags_named()
def film(
    models: Models = (),
    *,
    base: File = None,
    transfer: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="MODEL")] = (),
    motion: Annotated[Motion, Flat],
    cast: Annotated[Cast, Flat],
    way: Annotated[Way, Flat],
    timing: Annotated[Timing, Flat],
    keyframes: Annotated[str | None, typed("FILE.yaml")] = None,
    frames: Annotated[str | None, typed("FOLDER")] = None,
    output: Annotated[Output, Flat],
) -> None:
    """Films a blend whose hand-over, share or width moves, of faces that move too. See docs/films.md.

    A value A..B moves from A to B: also that of --psi, and the strength in --edit NAME=-3..3.

    python -m interp.film ffhq.pkl toon.pkl --seeds 1,5,9 --swap 2..64 --seconds 10 --out film.mp4

    python -m interp.film ffhq.pkl toon.pkl --seeds 1..5..9 --schedule swap=16 --loop --out walk.webp

    python -m interp.film ffhq.pkl toon.pkl --seeds 7 --path noise --schedule swap=16 --seconds 60 --out frames

    python -m interp.film --frames frames --out film.mp4

    Args:
      models: those that the film begins with and goes to; --base and --transfer name them too.
      base: the model that the film begins with.
      transfer: the model it goes to; given again, it goes on to the next.
      keyframes: a film that is written down.
      frames: a folder of frames that --out FOLDER made, to be joined to a film.
    """
    named = in_order(models, base, transfer)
    if frames is not None:
        _refuse(not_given(motion, cast, way, timing, but=("fps", "audio")), f"--frames {frames}", keyframes, named)
        _join(frames, way.audio, timing, output)
    elif keyframes is not None:
        but = ("class_", "mapping", "noise", "fps", "size", "audio")
        _refuse(not_given(motion, cast, way, timing, but=but), f"--keyframes {keyframes}")
        _film_keyframes(keyframes, named, cast, timing, output, sound=way.audio)
    else:
        _film_scene(named, motion, cast, way, timing, output)


def _refuse(flags: Sequence[str], what: str, keyframes: str | None = None, named: Named = (None, ())) -> None:
    """Raises InputError for what does not go together with a film that is written down or made."""
    flags = [*flags, *(["--keyframes"] if keyframes else []), *(["models"] if named != (None, ()) else [])]
    if flags:
        raise InputError(f"says all that {', '.join(flags)} would say", "leave them away", file=what)


def _film_scene(named: Named, motion: Motion, cast: Cast, way: Way, timing: Timing, output: Output) -> None:
    """A film of what the options say."""
    from interp import filmforms, filmnotes
    from interp.rendering import Renderer
    from interp.replay import read_models
    from interp.scenes import Take

    shipped = stylegan_jax.shipped_models()
    cast.check()
    way.check(cast, motion)
    recipe = models_of(*named, shipped)
    path = output.place(recipe)
    filmforms.check_form(path, timing.rate)
    heard = _heard(way)
    if heard is not None and timing.seconds is None:
        timing = dataclasses.replace(timing, seconds=f"{heard.seconds:.6g}")
    scene, side = scene_of(motion, cast, way, timing), timing.side(path.suffix.lower())
    loaded = read_models(recipe, None, shipped)
    found, labels = [each.model for each in loaded], [each.label for each in loaded]
    if cast.w:
        scene = scene.with_files(cast.w, cast.w_space, found[0], walk=cast.walk)
    if motion.schedule is not None:
        scene.at(0.0).check(found[0].config.generator.resolutions)
    scene.check(found, labels)
    driven = heard is not None and way.audio_to == "edit"
    sweeps, sound = cast.sweeps(found[0], driven=driven), way.sound(heard, scene.count, timing.rate)
    steady = {} if driven else cast.steady_edits.step(found[0], seeds=not cast.w).of_seeds
    scene = dataclasses.replace(scene, sweeps=sweeps, sound=sound, **steady)
    sources = scene.sources(len(loaded) - 1, cast.mapping, cast.noise)
    note = filmnotes.note(loaded, motion, cast, timing.filled, way)
    renderer = Renderer(found, labels)
    _make(path, Take(scene, renderer, sources), renderer, sources, timing, side, note, output, sound=way.audio)


def _heard(way: Way) -> "Loudness | None":
    from interp.loudness import listen

    return None if way.audio is None else listen(way.audio)


def _film_keyframes(file: str, named: Named, cast: Cast, timing: Timing, output: Output, *, sound: str | None) -> None:
    """A film that is written down."""
    from interp import filmforms, filmnotes, keyframes
    from interp.keyed import Keyed
    from interp.rendering import Renderer
    from interp.replay import read_models

    shipped, written = stylegan_jax.shipped_models(), keyframes.read(file)
    by_file = named == (None, ()) and bool(written.models)
    first, *others = written.models if by_file else (named[0], *named[1])
    recipe = models_of(first, tuple(others), shipped)
    path = output.place(recipe)
    side, rate = timing.side(path.suffix.lower()), timing.rate
    filmforms.check_form(path, rate, carried=sound)
    loaded = read_models(recipe, Path(file).absolute().parent if by_file else None, shipped)
    found, labels = [each.model for each in loaded], [each.label for each in loaded]
    keyed = Keyed(written, found, labels, file=file, class_idx=values.label(cast.class_))
    sources = keyed.sources(cast.mapping, cast.noise)
    note = filmnotes.note(loaded, cast, timing) | {"keyframes": written.to_json()}
    renderer = Renderer(found, labels)
    moments = keyed.moments(renderer.model(sources.mapping), rate)
    _make(path, moments, renderer, sources, timing, side, note, output, sound=sound)


def _make(
    path: Path,
    moments: "Moments",
    renderer: "Renderer",
    sources: "Sources",
    timing: Timing,
    side: int | None,
    note: dict[str, Any],
    output: Output,
    *,
    sound: str | None = None,
) -> None:
    """Draws a film and writes it, as a file or as a folder of frames."""
    from interp import filmforms, filming
    from interp.frames import drawn

    filmforms.check_memory(path, moments.count, moments.pictures * (side or 0) ** 2)
    print(f"mapping from {sources.mapping}, noise from {sources.noise}")

    def draw(wanted: Any) -> Any:
        return drawn(moments, renderer, sources, size=side, wanted=wanted)

    count, rate, there = moments.count, timing.rate, 0
    if path.suffix:
        options: Any = {"fps": rate, "note": note, "overwrite": output.overwrite, "sound": sound}
        filming.write(path, draw, count, **options)
    else:
        how = {"batch": renderer.how.batch, "plan": renderer.how.plan, "latents_sha256": moments.digest()}
        made_by = {**note, **dataclasses.asdict(sources), **how, "frames": count, "fps": rate}
        there = filming.fill(str(output.out), draw, count, made_by, overwrite=output.overwrite)
    before = f", {there} of them were there" if there else ""
    print(f"wrote {path}: {count} frames, {count / rate:g} s{before}")


def _join(folder: str, audio: str | None, timing: Timing, output: Output) -> None:
    """Makes a film of a folder of frames."""
    from interp import filmforms, filming
    from stylegan_jax.pictures import video
    from stylegan_jax.storage import atomic

    path = Path(output.out or f"{Path(folder).resolve().name}{video.default_suffix()}")
    video.check_suffix(path.suffix.lower())
    atomic.output_path(path, overwrite=output.overwrite)
    found = filming.filmed(folder)
    rate = found.fps if timing.fps is None else timing.rate
    filmforms.check_form(path, rate, carried=audio)
    filmforms.check_memory(path, found.count, found.area, made=True)
    options: Any = {"fps": rate, "note": found.note, "overwrite": output.overwrite, "sound": audio}
    filming.write(path, found.draw, found.count, **options)
    print(f"wrote {path}: {found.count} frames, {found.count / rate:g} s")


if __name__ == "__main__":
    sys.exit(cli.run(film, "python -m interp.film"))
