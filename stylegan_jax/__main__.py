"""`python -m stylegan_jax` lists the commands; `python -m stylegan_jax sample …` runs one."""

import difflib
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
}
BY_NAME = {module.rpartition(".")[2]: module for module in COMMANDS}


def main() -> int:
    """Runs the command that the first argument names; without one, prints every command and what it does."""
    if len(sys.argv) > 1 and sys.argv[1] not in ("--help", "-h"):
        return _run(sys.argv[1])
    for module, summary in COMMANDS.items():
        print(f"python -m {module:<20} {summary}")
    print("\nEach explains itself with --help.")
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
