"""`python -m stylegan_jax` lists the commands."""

COMMANDS = {
    "convert": "reads any StyleGAN2 file (.pkl, .safetensors, …) and writes it in another form",
    "interp.blend": "blends two models layer by layer: --swap 16 takes the structure of one, the texture of the other",
    "interp.diagnose": "says whether two models can be blended, and whether they are relatives",
    "interp.figures": "draws labelled sheets: every hand-over resolution, soft ones, single resolutions, shares",
    "interp.film": "films a blend whose hand-over, share or seed moves, as MP4, WebP or GIF",
    "stylegan_jax.sample": "makes the images of seeds, or of projected faces",
    "stylegan_jax.train": "fine-tunes a model, or trains one from nothing, on a folder of images",
}


def main() -> None:
    """Prints every command and what it does."""
    for module, summary in COMMANDS.items():
        print(f"python -m {module:<20} {summary}")
    print("\nEach explains itself with --help.")


if __name__ == "__main__":
    main()
