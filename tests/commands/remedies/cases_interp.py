"""Cases of the options, schedules and sources of a blend."""

from pathlib import Path

import yaml
from PIL import Image

from interp import mix, options, schedules
from interp.alphas import Settings
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.steps import both
from tests.tiny_models import tiny_model

PAIR = "ffhq.safetensors toon.safetensors"
BLEND = f"{PAIR} --dry-run"
WRITTEN = f"{PAIR} --no-sheet --out x.safetensors"
SHEET = f"{PAIR} --swap 8 --out x.png"
FILM = f"{PAIR} --seconds 0.1 --fps 10 --size 16 --out x.gif"


def models(**second):
    """The models of a recipe."""
    return [{"path": "ffhq.safetensors"}, {"path": "toon.safetensors", "schedule": "swap=8", **second}]


def recipe(name="r.yaml", **fields):
    """A step that writes a recipe."""

    def build():
        with open(name, "w") as file:
            yaml.safe_dump({"models": models(), "seeds": "0", **fields}, file)

    return build


def text(content, name="r.yaml"):
    """A step that writes a file."""

    def build():
        with open(name, "w") as file:
            file.write(content)

    return build


REPLAY = "--recipe r.yaml --dry-run"
REPLAYED = "--recipe r.yaml --no-sheet --out x.safetensors"
OPTIONS, MASKS = "interp/options.py", "interp/masks.py"
_OPTIONS = [
    Case(OPTIONS, "pass one, such as --swap 16", "blend", BLEND, follow=f"{BLEND} --swap 16"),
    Case(OPTIONS, "pass one, such as --swap 16", "blend", f"{BLEND} --swap 8 --smooth 8", follow=f"{BLEND} --swap 16"),
    Case(OPTIONS, "use pinkney", "blend", f"{BLEND} --swap 8 --compat theirs"),
    Case(
        OPTIONS,
        "pass --swap 16",
        "blend",
        f"{BLEND} --smooth 8 --compat pinkney",
        follow=f"{BLEND} --swap 16 --compat pinkney",
    ),
    Case(OPTIONS, "edit the recipe, or leave it away", "blend", f"{REPLAY} --swap 8", recipe(), follow=REPLAY),
    Case(OPTIONS, "pass one of them", "blend", f"{SHEET} --seeds 0 --w w.npy"),
    Case(OPTIONS, "pass --w FILE", "blend", f"{SHEET} --w-space w+"),
    Case(
        OPTIONS,
        "name a base and a transfer model; interp.blend takes more with --add MODEL:SCHEDULE",
        "diagnose",
        f"{PAIR} flat.safetensors --out x.png",
        follow=f"{PAIR} --out x.png",
    ),
    Case(
        OPTIONS,
        "name a base and a transfer model; interp.blend takes more with --add MODEL:SCHEDULE",
        "blend",
        f"{PAIR} flat.safetensors --swap 8 --dry-run",
        follow=f"{BLEND} --swap 4 --add flat.safetensors:only=8",
    ),
    Case(OPTIONS, "pass --{} MODEL too", "blend", "ffhq.safetensors --swap 8 --dry-run"),
    Case(OPTIONS, "pass --{} MODEL too", "blend", "--transfer toon.safetensors --swap 8 --dry-run"),
    Case(
        OPTIONS,
        "pass --base MODEL --transfer MODEL",
        lambda: options.base_and_transfer(None, None, ()),
        follow=lambda: options.base_and_transfer("ffhq.safetensors", "toon.safetensors", ()),
    ),
    Case(
        OPTIONS,
        "pass {} MODEL",
        lambda: options.BlendOptions(add=("toon.safetensors:swap=8",)).read(()),
        follow=lambda: options.BlendOptions(base="ffhq.safetensors", add=("toon.safetensors:swap=8",)).read(()),
    ),
    Case(
        OPTIONS,
        "write MODEL:SCHEDULE, such as toon.pkl:swap=16",
        "blend",
        f"{BLEND} --swap 4 --add flat.safetensors",
        follow=f"{BLEND} --swap 4 --add flat.safetensors:swap=16",
    ),
]

SCHEDULES, TEXT = "interp/schedules.py", "interp/schedule_text.py"
ALPHA = "use 0 (base) to 1 (transfer), or beyond to extrapolate"
_SCHEDULES = [
    Case(SCHEDULES, "this model takes {}, one per w|use {}", "blend", f"{BLEND} --swap 64"),
    Case(SCHEDULES, "this model takes {}, one per w|use {}", "blend", f"{BLEND} --only 8,24"),
    Case(
        SCHEDULES,
        "this model takes {}, one per w|use {}",
        "blend",
        f"{BLEND} --band 8-64",
        follow=f"{BLEND} --band 8-16",
    ),
    Case(
        SCHEDULES,
        "this model takes {}, one per w|use {}",
        "blend",
        f"{BLEND} --alpha-layers 1,1,0",
        follow=f"{BLEND} --alpha-layers 1,1,0,0,0,0",
    ),
    Case(
        SCHEDULES,
        'write 0.5, or "4=1 16=0.6 32=0"',
        lambda: schedules.points({}),
        follow=lambda: schedules.points({4: 1.0}),
    ),
    Case(SCHEDULES, "use 0 (hard) or more, such as 0.5", "blend", f"{BLEND} --smooth 8 --width -1"),
    Case(SCHEDULES, "write the lower resolution first", "blend", f"{BLEND} --band 16-8", follow=f"{BLEND} --band 8-16"),
    Case(
        SCHEDULES, "write the lower resolution first", "blend", f"{BLEND} --linear 8-8", follow=f"{BLEND} --linear 4-8"
    ),
    Case(SCHEDULES, ALPHA, "blend", f"{BLEND} --alpha nan"),
    Case(
        SCHEDULES,
        ALPHA,
        "blend",
        f"{BLEND} --alpha-layers 1,inf,0,0,0,0",
        follow=f"{BLEND} --alpha-layers 1,1.5,-1,0,0,0",
    ),
    Case(
        TEXT,
        "use {} or {}",
        "blend",
        f"{PAIR} --preset nothing --dry-run",
        follow=[
            f"{BLEND} --preset {name}" for name in ("ukiyo-e", "gentle", "texture", "halfway", "swap=8", "band=8-16")
        ],
    ),
    Case(TEXT, "leave it away", "blend", f"{BLEND} --alpha 0.5 --width 1", follow=f"{BLEND} --alpha 0.5"),
    Case(TEXT, "leave it away", "blend", f"{BLEND} --smooth 8 --level 1", follow=f"{BLEND} --smooth 8"),
    Case(TEXT, "write two, such as 4-16", "blend", f"{PAIR} --linear 8 --dry-run"),
    Case(SCHEDULES, "use 4, 8, 16 … of this model", "blend", f"{BLEND} --swap 1{'0' * 310}"),
    Case(TEXT, "use 4, 8, 16 … of this model", "blend", f"{BLEND} --swap eight"),
    Case(TEXT, "use 4, 8, 16 … of this model", "blend", f"{BLEND} --only 8,b", follow=f"{BLEND} --only 8,16"),
    Case(TEXT, "use 0 (base) to 1 (transfer)", "blend", f"{BLEND} --alpha much"),
    Case(
        TEXT,
        "use 0 (base) to 1 (transfer)",
        "blend",
        f"{BLEND} --alpha-layers 1,x",
        follow=f"{BLEND} --alpha-layers 1,1,0,0,0,0",
    ),
    Case(TEXT, "use 0, or 1 to hand over one layer later", "blend", f"{BLEND} --swap 8 --level 2"),
]

KIND = "write torgb=0.3 (fixed) or torgb=x0.5 (scaled)|write torgb=0.3 or torgb=x0.5 with {} or a pattern with *"
SOURCE = "use {}{}"


def _both_blended(network):
    """The blend of a network of models that hold G_ema alone."""
    addition = [(tiny_model(1), schedules.swap(8))]
    return mix.blend_all(tiny_model(0), addition, Settings(networks=(network,)))


_ALPHAS = [
    Case(
        "interp/alphas.py",
        KIND,
        "blend",
        f"{BLEND} --swap 8 --kind colour=0.3",
        follow=[f"{BLEND} --swap 8 --kind {kind}" for kind in ("torgb=0.3", "torgb=x0.5", "weight=0.5", "*.b16.*=0")],
    ),
    Case(
        "interp/alphas.py",
        KIND,
        "blend",
        f"{BLEND} --swap 8 --kind torgb=much",
        follow=[f"{BLEND} --swap 8 --kind torgb=0.3", f"{BLEND} --swap 8 --kind torgb=x0.5"],
    ),
    Case("interp/alphas.py", KIND, "blend", f"{BLEND} --swap 8 --keep colour", follow=f"{BLEND} --swap 8 --keep torgb"),
    Case(
        "interp/alphas.py",
        SOURCE,
        "blend",
        f"{BLEND} --swap 8 --mapping both",
        follow=[f"{BLEND} --swap 8 --mapping {value}" for value in ("base", "transfer", "0.5")],
    ),
    Case("interp/alphas.py", SOURCE, "blend", f"{BLEND} --swap 8 --noise 0.5"),
    Case("interp/alphas.py", SOURCE, "film", f"{FILM} --swap 4..8 --seeds 0 --mapping neither"),
    Case("interp/alphas.py", SOURCE, "figures", f"strip {PAIR} --seeds 0 --noise neither --out x.png"),
    Case(
        "interp/decisions.py",
        "take w_avg from base or transfer",
        "blend",
        "flat.safetensors toon.safetensors --swap 8 --w-avg 0.5 --dry-run",
        follow=[f"flat.safetensors toon.safetensors --swap 8 --w-avg {s} --dry-run" for s in ("base", "transfer")],
    ),
    Case("interp/mix.py", "blend G_ema", lambda: _both_blended("G"), follow=lambda: _both_blended("G_ema")),
    Case("interp/relatives.py", "{}", "blend", "ffhq.safetensors large.safetensors --swap 8 --dry-run", follow=HANDS),
]


def _mask(level, name="face.png"):
    """A step that writes a picture."""

    def build():
        Path(name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), level).save(name)

    return build


_OVAL = "ellipse=0.5,0.46,0.34,0.42:soft=0.25"
_ELLIPSE = f"write {_OVAL}: centre, half-axes and softness in shares of the picture"
_MASKS = [
    Case("interp/maskoptions.py", "pass --mask ellipse", "blend", f"{WRITTEN} --swap 8 --mask-at 8"),
    *(
        Case(
            MASKS, _ELLIPSE, "blend", f"{WRITTEN} --swap 8 --mask {wrong}", follow=f"{WRITTEN} --swap 8 --mask {_OVAL}"
        )
        for wrong in ("ellipse=0.5", "ellipse:soft=2")
    ),
    Case(MASKS, "use {}", "blend", f"{WRITTEN} --swap 8 --mask ellipse --mask-at 12"),
    Case(
        MASKS,
        "put it beside the recipe, or name it as mask where it is",
        "blend",
        REPLAYED,
        both(_mask(0, "there/face.png"), recipe(mask="m/face.png", mask_sha256="0" * 64)),
        follow=f"{REPLAYED} --mask there/face.png",
    ),
    Case(
        MASKS,
        "find that file, or name this one as mask",
        "blend",
        REPLAYED,
        both(_mask(0), recipe(mask="face.png", mask_sha256="0" * 64)),
        follow=f"{REPLAYED} --mask face.png",
    ),
]

CASES = [*_OPTIONS, *_SCHEDULES, *_ALPHAS, *_MASKS]
