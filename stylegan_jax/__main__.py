"""`python -m stylegan_jax` and `stylegan-jax` list the commands; with the name of one, `sample …`, they run it."""

import dataclasses
import difflib
import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Command:
    """A command: `module:function`, and what it does."""

    entry: str
    does: str

    @property
    def module(self) -> str:
        """Where the function is."""
        return self.entry.partition(":")[0]

    @property
    def form(self) -> str | None:
        """What `python -m` takes for it alone; None for those of this package."""
        return None if self.module.startswith("stylegan_jax.") else self.module.removesuffix(".__main__")

    def function(self) -> Callable[..., int | None]:
        """The command itself, imported when it is called."""
        return getattr(importlib.import_module(self.module), self.entry.partition(":")[2])


COMMANDS = {
    "convert": Command(
        "convert.__main__:main", "reads any StyleGAN2 file (.pkl, .safetensors, …) and writes it in another form"
    ),
    "blend": Command(
        "interp.blend:blend",
        "blends two models layer by layer: --swap 16 takes the structure of one, the texture of the other",
    ),
    "diagnose": Command(
        "interp.diagnose:diagnose", "says whether two models can be blended, and whether they are relatives"
    ),
    "figures": Command(
        "interp.figures:figures",
        "draws labelled sheets: every hand-over resolution, soft ones, single resolutions, shares",
    ),
    "film": Command(
        "interp.film:film",
        "films blends and faces that move: α, seeds, edits, along keyframes or with a sound; MP4, WebP, …",
    ),
    "toonify": Command(
        "interp.toonify:toonify", "turns photographs into what a blend makes of them: a cartoon of each face"
    ),
    "edit": Command("interp.edit:edit", "finds directions in w along which a feature changes, and shows what they do"),
    "studio": Command(
        "interp.studio.__main__:studio", "opens a page on which α(r) is drawn by hand, and the blend follows, live"
    ),
    "sample": Command("stylegan_jax.commands.sample:sample", "makes the images of seeds, or of projected faces"),
    "align": Command(
        "stylegan_jax.commands.align:align",
        "cuts the faces out of photographs, upright and framed as a model knows them",
    ),
    "project": Command(
        "stylegan_jax.commands.project:project", "finds the ws of a model whose images are nearest to photographs"
    ),
    "encode": Command(
        "stylegan_jax.commands.encode:encode", "finds ws for photographs at once, by an encoder; less like them"
    ),
    "train-encoder": Command(
        "stylegan_jax.commands.train_encoder:train_encoder", "trains an encoder for a model, on its own images or yours"
    ),
    "train": Command(
        "stylegan_jax.commands.train:train", "fine-tunes a model, or trains one from nothing, on a folder of images"
    ),
    "models": Command(
        "stylegan_jax.commands.models:models",
        "lists the models that have names or were downloaded, and clears downloads",
    ),
}


def main() -> int:
    """Runs the command that the first argument names; without one, prints every command and what it does."""
    if sys.argv[1:] == ["--version"]:
        print(f"stylegan-jax {importlib.metadata.version('stylegan-jax')}")
        return 0
    if len(sys.argv) > 1 and sys.argv[1] not in ("--help", "-h"):
        return _run(sys.argv[1], sys.argv[2:])
    print("usage: stylegan-jax COMMAND …, or python -m stylegan_jax COMMAND …\n")
    for name, command in COMMANDS.items():
        print(f"  {name:<13} {command.does}")
    forms = [command.form for command in COMMANDS.values() if command.form]
    print(f"\nEach explains itself with --help; python -m {', '.join(forms)} work too.")
    return 0


def _run(name: str, arguments: list[str]) -> int:
    name = {command.form: name for name, command in COMMANDS.items() if command.form}.get(name, name)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(COMMANDS)}"
        print(f"error: {ascii(name)[1:61].rstrip(chr(39))}: no such command — {remedy}", file=sys.stderr)
        return 2
    from stylegan_jax.commands import cli

    command = COMMANDS[name]
    typed = "python -m stylegan_jax" if Path(sys.argv[0]).name == "__main__.py" else "stylegan-jax"
    function = command.function()
    aliases = getattr(sys.modules[command.module], "ALIASES", cli.NO_ALIASES)
    return cli.run(function, f"{typed} {name}", arguments, aliases=aliases)


if __name__ == "__main__":
    sys.exit(main())
