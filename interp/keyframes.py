"""Keyframes: a film as a short YAML file, each frame with its time, seeds or ws, truncation, edits and schedule."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from interp import recipetext
from interp.motion import EASINGS, MOST_PICTURES
from interp.schedule_text import parse
from interp.schedules import Schedule
from stylegan_jax import values
from stylegan_jax.editing.directions import parse_edit, parse_style
from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import inputs, schema

PATHS = ("linear", "slerp", "spline")
_MOST_SECONDS = 3600
_MOST_FRAMES, _ENTRIES = 1000, 30  # keyframes, and entries of YAML in each: all fields, and lists in some
_FORM = "write frames: and below it a list, each with time, seeds or w, and schedule"
_LISTS = ("w", "edits", "styles", "schedule", "models", "directions")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keyframe:
    """What a film shows at one time. None: as in the keyframe before.

    Attributes:
      time: in seconds.
      seeds: pictures side by side: `1,5,9`.
      w: files of ws instead.
      w_space: what a 2-D array in them is; see `convert.ws.read`.
      psi: truncation; 0.7 in the first one of seeds, 1 in the first one of ws.
      edits: `NAME=2`, `NAME=2:0-3`; () is none.
      styles: `b16.conv1:7=+5`, likewise.
      schedule: the text of one for each transfer model.
      ease: how the film goes on from here to the next: a key of `motion.EASINGS`.
    """

    time: float
    seeds: str | None = None
    w: tuple[str, ...] | None = None
    w_space: str | None = None
    psi: float | None = None
    edits: tuple[str, ...] | None = None
    styles: tuple[str, ...] | None = None
    schedule: tuple[str, ...] | None = None
    ease: str | None = None

    @property
    def schedules(self) -> list[Schedule]:
        """One for each transfer model; InputError where a text is none."""
        return [parse(text) for text in self.schedule or ()]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keyframes:
    """A film.

    Attributes:
      frames: in the order of their times.
      models: the base, then each transfer model; none where they are named elsewhere.
      directions: files of those that edits name.
      path: how w goes from one to the next: one of `PATHS`.
      loop: seconds from the last back to the first; None: the film ends with the last.
    """

    frames: tuple[Keyframe, ...]
    models: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    path: str = "linear"
    loop: float | None = None

    @property
    def knots(self) -> list[float]:
        """Seconds from the beginning to each frame, and to the return where there is one."""
        times = [frame.time - self.frames[0].time for frame in self.frames]
        return times if self.loop is None else [*times, times[-1] + self.loop]

    def whole(self) -> "Keyframes":
        """The same with everything said in every frame."""
        ease, frames = "linear" if self.path == "spline" else "smooth", []
        state: dict[str, Any] = {"edits": (), "styles": (), "ease": ease}
        for frame in self.frames:
            said = {key: value for key, value in vars(frame).items() if value is not None}
            if "seeds" in said:
                state |= {"w": None, "w_space": None, "psi": state.get("psi") if state.get("seeds") else 0.7}
            if "w" in said:
                state |= {"seeds": None, "w_space": None, "psi": state.get("psi") if state.get("w") else 1.0}
            state |= said
            frames.append(Keyframe(**state))
        return dataclasses.replace(self, frames=tuple(frames))

    def to_json(self) -> dict[str, Any]:
        """Plain data for YAML: what is not given is left out."""
        frames = [_plain(vars(frame)) for frame in self.frames]
        return {**_plain({key: value for key, value in vars(self).items() if value != ()}), "frames": frames}


def to_yaml(keyframes: Keyframes) -> str:
    """The inverse of `read`."""
    import yaml

    return yaml.safe_dump(keyframes.to_json(), sort_keys=False, allow_unicode=True, width=120)


def read(path: str) -> Keyframes:
    """The keyframes in a YAML file; InputError names everything in it that is wrong."""
    text = inputs.contents(path, most=recipetext.LARGEST)
    try:
        data = recipetext.parse(text, path, most=_MOST_FRAMES * _ENTRIES)
    except InputError as error:
        what = error.what.replace("is no recipe", "holds no keyframes")
        raise InputError(what, _FORM, file=path) from error
    return from_json(data, path)


def from_json(data: Any, file: object = None) -> Keyframes:
    """What `to_json` wrote, or somebody by hand; InputError for anything else."""
    if wrong := schema.faults(data, _KEYFRAMES):
        raise InputError(f"holds no keyframes: {', '.join(wrong)}", _FORM, file=file)
    given = {key: value for key, value in data.items() if value is not None}
    frames = tuple(Keyframe(**_typed(frame)) for frame in given.pop("frames"))
    found = Keyframes(frames=frames, **_typed(given))
    _check_order(found, file)
    for number, frame in enumerate(found.frames, 1):
        with of_frame(number, file):
            _check_texts(frame)
    _check_beginning(found.frames[0], file)
    return found


@contextlib.contextmanager
def of_frame(number: int, file: object) -> Iterator[None]:
    """Tells of an InputError inside which keyframe, counted from 1, it is about."""
    try:
        yield
    except InputError as error:
        place = f"{error.file}: " if error.file is not None else ""
        raise InputError(f"keyframe {number}: {place}{error.what}", error.remedy, file=file) from error


def _check_order(found: Keyframes, file: object) -> None:
    knots = found.knots
    if any(later <= earlier for earlier, later in itertools.pairwise(knots)):
        raise InputError("its keyframes are not in the order of their times", "sort them, each later", file=file)
    if found.path not in PATHS:
        raise InputError(f"path {shown(found.path)}: no such path", f"write {', '.join(PATHS)}", file=file)
    if knots[-1] > _MOST_SECONDS:
        raise InputError(f"its film is {knots[-1]:g} s long", f"write times up to {_MOST_SECONDS} s", file=file)


def _check_texts(frame: Keyframe) -> None:
    """Raises InputError for seeds, edits and schedules that are none, and for seeds and ws at once."""
    if frame.seeds is not None and frame.w is not None:
        raise InputError("seeds and w: one too many", "write one of them")
    if frame.seeds is not None:
        values.seeds(frame.seeds, "seeds", most=MOST_PICTURES)
    for text in frame.edits or ():
        parse_edit(text)
    for text in frame.styles or ():
        parse_style(text)
    _ = frame.schedules
    if frame.ease not in (None, *EASINGS):
        raise InputError("no such ease", f"write {', '.join(EASINGS)}", file=f"ease {shown(frame.ease)}")


def _check_beginning(first: Keyframe, file: object) -> None:
    if first.schedule is None or (first.seeds is None and first.w is None):
        what = "schedule" if first.schedule is None else "seeds or w"
        raise InputError(f"its first keyframe has no {what}", "write seeds: 0 and schedule: swap=16 in it", file=file)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, and a list of one schedule as that."""
    data = {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}
    if len(data.get("schedule") or ()) == 1:
        data["schedule"] = data["schedule"][0]
    return {key: value for key, value in data.items() if value is not None}


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `_plain`; `edits` may be a table of strengths, and a number stand for its text."""
    data = {key: value for key, value in fields.items() if value is not None}
    if isinstance(data.get("edits"), dict):
        data["edits"] = [f"{name}={strength}" for name, strength in data["edits"].items()]
    if "seeds" in data:
        data["seeds"] = str(data["seeds"])
    for key in _LISTS:
        if key in data:
            data[key] = (data[key],) if isinstance(data[key], str) else tuple(data[key])
    return data


_TEXTS = schema.Either((schema.Text(), schema.ListOf(schema.Text(), most=100)))
_FRAME: dict[str, schema.Kind] = {
    "time": schema.Number(-1e6, 1e6),
    "seeds": schema.Either((schema.Text(), schema.Number(0, (1 << 32) - 1, whole=True))),
    "w": _TEXTS,
    "w_space": schema.Text(10),
    "psi": schema.Number(-100, 100),
    "edits": schema.Either((_TEXTS, schema.Table(others=schema.Either((schema.Number(), schema.Text(200))), most=100))),
    "styles": _TEXTS,
    "schedule": schema.Either((schema.Text(), schema.ListOf(schema.Text(), most=20, least=1))),
    "ease": schema.Text(20),
}
_KEYFRAMES = schema.Table(
    {
        "frames": schema.ListOf(schema.Table(_FRAME, required=("time",)), most=_MOST_FRAMES, least=2),
        "models": schema.ListOf(schema.Text(), most=20, least=2),
        "directions": _TEXTS,
        "path": schema.Text(20),
        "loop": schema.Number(1e-3, _MOST_SECONDS),
    },
    required=("frames",),
)
