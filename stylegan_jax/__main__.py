"""`python -m stylegan_jax` and `stylegan-jax` list the commands; with the name of one, `sample …`, they run it."""

import difflib
import importlib.metadata
import runpy
import sys

COMMANDS = {
    "convert": "reads any StyleGAN2 file (.pkl, .safetensors, …) and writes it in another form",
    "interp.blend": "blends two models layer by layer: --swap 16 takes the structure of one, the texture of the other",
    "interp.diagnose": "says whether two models can be blended, and whether they are relatives",
    "interp.figures": "draws labelled sheets: every hand-over resolution, soft ones, single resolutions, shares",
    "interp.film": "films a blend whose hand-over, share or seed moves, as MP4, WebP or GIF",
    "stylegan_jax.sample": "makes the images of seeds, or of projected faces",
    "stylegan_jax.train": "fine-tunes a model, or trains one from nothing, on a folder of images",
    "stylegan_jax.shelf": "lists the models that have names or were downloaded, and clears downloads",
}
_NAMES = {"stylegan_jax.shelf": "models"}  # models/ is a folder
BY_NAME = {_NAMES.get(module, module.rpartition(".")[2]): module for module in COMMANDS}


def main() -> int:
    """Runs the command that the first argument names; without one, prints every command and what it does."""
    if sys.argv[1:] == ["--version"]:
        print(f"stylegan-jax {importlib.metadata.version('stylegan-jax')}")
        return 0
    if len(sys.argv) > 1 and sys.argv[1] not in ("--help", "-h"):
        return _run(sys.argv[1])
    print("usage: stylegan-jax COMMAND …, or python -m stylegan_jax COMMAND …\n")
    for name, module in BY_NAME.items():
        print(f"  {name:<10} {COMMANDS[module]}")
    print(f"\nEach explains itself with --help; python -m {', '.join(list(COMMANDS)[:-1])} work too.")
    return 0


def _run(name: str) -> int:
    module = name if name in COMMANDS else BY_NAME.get(name)
    if module is None:
        near = difflib.get_close_matches(name, BY_NAME, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(BY_NAME)}"
        print(f"error: {ascii(name)[1:61].rstrip(chr(39))}: no such command — {remedy}", file=sys.stderr)
        return 2
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
