"""Cases of films: their options, their keyframes, their sounds, their folders of frames."""

import json
import wave
from pathlib import Path

import numpy as np
import yaml

from stylegan_jax.pictures import images
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.cases_edit import found, in_z
from tests.commands.remedies.cases_interp import FILM, PAIR, text

_OPTIONS, _WALKS, _KEYED, _KEYS = (f"interp/{name}.py" for name in ("filmoptions", "walkoptions", "keyed", "keyframes"))
_FORMS = "interp/filmforms.py"
_STILL = f"{FILM} --schedule swap=8"
_BRIEF = f"{PAIR} --schedule swap=8 --seconds 0.1 --size 16"
_LARGE = f"{PAIR} --schedule swap=8 --fps 10 --size 512"
_KEYFILM = f"{PAIR} --keyframes k.yaml --fps 10 --size 16 --out x.gif"
_FORM = "write frames: and below it a list, each with time, seeds or w, and schedule"


def keys(*changes, **fields):
    """A step that writes two keyframes, or as many as have changes."""

    def build():
        frames = [{"time": i / 10, "seeds": 0, "schedule": "swap=8"} for i in range(max(2, len(changes)))]
        for frame, change in zip(frames, changes, strict=False):
            frame.update(change)
        plain = [{key: value for key, value in frame.items() if value is not None} for frame in frames]
        Path("k.yaml").write_text(yaml.safe_dump({"frames": plain, **fields}))

    return build


def sound(samples=800):
    """A step that writes a sound."""

    def build():
        with wave.open("s.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.full(samples, 9000, "<i2").tobytes())

    return build


def frames(*sizes, count=2):
    """A step that makes a folder of frames of some sizes, as a film of `count` would."""

    def build():
        folder = Path("frames")
        folder.mkdir(exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps({"frames": count, "fps": 10}))
        for i, size in enumerate(sizes):
            images.write_png(folder / f"frame{i:05d}.png", np.zeros((size, size, 3), np.uint8), overwrite=True)

    return build


_JOIN = "--frames frames --out x.gif"
CASES = [
    Case(_OPTIONS, "pass one of --swap 2..64, --smooth 4..64, --alpha 0..1, --schedule swap=16", "film", FILM),
    Case(
        _OPTIONS,
        "use --smooth",
        "film",
        f"{FILM} --swap 4..8 --width 1",
        follow=f"{FILM} --smooth 4..8 --width 1",
    ),
    Case(_OPTIONS, "pass one of them", "film", f"{FILM} --swap 4..8 --seeds 0 --w w.npy"),
    Case(
        _OPTIONS,
        "pass --w FILE; seeds walk as --seeds 1..5..9",
        "film",
        f"{FILM} --swap 4..8 --walk",
        follow=[f"{FILM} --swap 4..8 --walk --w w.npy", f"{FILM} --swap 4..8 --seeds 1..5..9"],
    ),
    Case(
        _OPTIONS,
        "pass --w FILE; seeds walk as --seeds 1..5..9",
        "film",
        f"{FILM} --swap 4..8 --w-space w+",
        follow=[f"{FILM} --swap 4..8 --w-space w+ --w w.npy", f"{FILM} --swap 4..8 --seeds 1..5..9"],
    ),
    Case(
        _OPTIONS,
        "write NAME=-3..3, or NAME=-3..3:0-3 for some layers",
        "film",
        f"{_STILL} --directions found.npz --edit==-3..3",
        found(),
        follow=[f"{_STILL} --directions found.npz --edit sefa0=-3..3{layers}" for layers in ("", ":0-3")],
    ),
    Case(
        _OPTIONS,
        "write one strength, such as NAME=2",
        "film",
        f"{_STILL} --seeds 0 --directions z.npz --edit age=0..2",
        in_z(),
        follow=f"{_STILL} --seeds 0 --directions z.npz --edit age=2",
    ),
    Case("interp/film.py", "leave them away", "film", f"{_JOIN} --seconds 1", frames(16, 16), follow=_JOIN),
    Case("interp/film.py", "leave them away", "film", f"{_KEYFILM} --loop", keys(), follow=_KEYFILM),
    Case(
        _WALKS,
        "use --path spline, or pass --seeds 1..5..9",
        "film",
        f"{_STILL} --w w.npy --walk --path slerp",
        follow=[f"{_STILL} --w w.npy --walk --path spline", f"{_STILL} --path slerp --seeds 1..5..9"],
    ),
    Case(
        _WALKS,
        "write them side by side: --seeds 1,5,9",
        "film",
        f"{_STILL} --seeds 1..5..9 --path circle",
        follow=f"{_STILL} --seeds 1,5,9 --path circle",
    ),
    Case(
        _WALKS,
        "write --seeds 1..5..9, or pass --walk with --w FILE",
        "film",
        f"{_STILL} --path spline",
        follow=[f"{_STILL} --path spline {who}" for who in ("--seeds 1..5..9", "--walk --w w.npy")],
    ),
    Case(_WALKS, "pass --path noise", "film", f"{_STILL} --diameter 1", follow=f"{_STILL} --diameter 1 --path noise"),
    Case(
        _WALKS,
        "pass --audio FILE.wav",
        "film",
        f"{_STILL} --path noise --audio-to speed",
        sound(),
        follow=f"{_STILL} --path noise --audio-to speed --audio s.wav",
    ),
    Case(
        _WALKS,
        "{}",
        "film",
        f"{_STILL} --audio s.wav",
        sound(),
        follow=[f"{FILM} --swap 2..16 --audio s.wav", f"{_STILL} --audio s.wav --audio-to speed --seeds 1..5"],
    ),
    Case(
        _WALKS,
        "{}",
        "film",
        f"{_STILL} --audio s.wav --audio-to edit",
        lambda: (sound()(), found()()),
        follow=f"{_STILL} --audio s.wav --audio-to edit --directions found.npz --edit sefa0=-3..3",
    ),
    Case(
        _WALKS,
        "write one, such as 7:8-13",
        "film",
        f"{_STILL} --mix 7,8:4-5",
        follow=f"{_STILL} --mix 7:4-5",
    ),
    Case("interp/scenes.py", "use 0 to {}", "film", f"{_STILL} --mix 7:8-13", follow=f"{_STILL} --mix 7:0-5"),
    Case(
        "interp/motion.py",
        "write a few, such as 0-7",
        "film",
        f"{_STILL} --seeds 0-9999,0-9,5",
        follow=f"{_STILL} --seeds 0-7",
    ),
    Case(_KEYS, _FORM, "film", _KEYFILM, text("a: {", "k.yaml"), follow=(keys(), _KEYFILM)),
    Case(_KEYS, _FORM, "film", _KEYFILM, keys({"seed": 1}), follow=(keys(), _KEYFILM)),
    Case(_KEYS, "{}", "film", _KEYFILM, keys({"schedule": "stripes"}), follow=(keys(), _KEYFILM)),
    Case(_KEYS, "sort them, each later", "film", _KEYFILM, keys({"time": 1}), follow=(keys(), _KEYFILM)),
    Case(_KEYS, "write times up to {} s", "film", _KEYFILM, keys({}, {"time": 4000}), follow=(keys(), _KEYFILM)),
    Case(_KEYS, "write one of them", "film", _KEYFILM, keys({"w": "w.npy"}), follow=(keys(), _KEYFILM)),
    Case(_KEYS, "write {}", "film", _KEYFILM, keys({"ease": "fast"}), follow=(keys({"ease": "cosine"}), _KEYFILM)),
    Case(_KEYS, "write {}", "film", _KEYFILM, keys(path="circle"), follow=(keys(path="slerp"), _KEYFILM)),
    Case(
        _KEYS,
        "write seeds: 0 and schedule: swap=16 in it",
        "film",
        _KEYFILM,
        keys({"schedule": None}),
        follow=(keys({"schedule": "swap=16"}), _KEYFILM),
    ),
    Case(
        _KEYED,
        "write one for each, as a list",
        "film",
        f"{_KEYFILM} --transfer whole.safetensors",
        keys(),
        follow=HANDS,
    ),
    Case(
        _KEYED,
        "write path: linear or spline",
        "film",
        _KEYFILM,
        keys({}, {"seeds": None, "w": "w.npy"}, path="slerp"),
        follow=(keys({"seeds": "0,1"}, {"seeds": None, "w": "w.npy"}, path="spline"), _KEYFILM),
    ),
    Case(
        _KEYED,
        "show as many in every keyframe",
        "film",
        _KEYFILM,
        keys({"seeds": "0,1"}),
        follow=(keys({"seeds": "0,1"}, {"seeds": "5,6"}), _KEYFILM),
    ),
    Case(
        "interp/loudness.py",
        "save it as a 16-bit WAV|save it as a 16-bit WAV, or python -m pip install soundfile, which reads most kinds",
        "film",
        f"{FILM} --swap 4..8 --audio s.wav",
        text("no sound", "s.wav"),
        follow=sound(),
    ),
    Case(
        "interp/loudness.py",
        "save it as a 16-bit WAV",
        "film",
        f"{FILM} --swap 4..8 --audio s.wav",
        sound(0),
        follow=sound(),
    ),
    Case(
        "interp/filming.py",
        "name a folder of frames that interp.film made",
        "film",
        "--frames photos --out x.gif",
        frames(16, 16),
        follow=_JOIN,
    ),
    Case(
        "interp/filming.py",
        "name a folder of frames that interp.film made",
        "film",
        "--frames w.npy --out x.gif",
        frames(16, 16),
        follow=_JOIN,
    ),
    Case(
        "interp/filming.py",
        "run the command that makes them again: it goes on where it stopped",
        "film",
        _JOIN,
        frames(16),
        follow=frames(16, 16),
    ),
    Case(
        _FORMS,
        "pass --fps {}, or another suffix such as .webp",
        "film",
        f"{_BRIEF} --fps 60 --out x.gif",
        follow=[f"{_BRIEF} --fps 50 --out x.gif", f"{_BRIEF} --fps 60 --out x.webp"],
    ),
    Case(
        _FORMS,
        "leave --audio out, or pass --out film.mp4",
        "film",
        f"{_KEYFILM} --audio s.wav",
        lambda: (sound()(), keys()()),
        follow=_KEYFILM,
    ),
    Case(
        _FORMS,
        "pass --out film.mp4|pass a folder, such as --out frames, or fewer --seconds",
        "film",
        f"{_LARGE} --seconds 3600 --out x.gif",
        follow=[f"{_LARGE} --seconds 0.2 --out {out}" for out in ("x.gif", "frames")],
    ),
    Case(
        _KEYED,
        "leave it out, or write w: FILE.npy",
        "film",
        _KEYFILM,
        keys({"w_space": "w+"}),
        follow=(keys({"seeds": None, "w_space": "w+", "w": "w.npy"}, {"seeds": "0,1"}), _KEYFILM),
    ),
    Case(
        "interp/filming.py",
        "remove it, and make the frames again",
        "film",
        _JOIN,
        frames(16, 18),
        follow=frames(16, 16),
    ),
]
