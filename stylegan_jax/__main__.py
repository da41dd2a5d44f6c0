"""`python -m stylegan_jax` lists the commands."""

COMMANDS = {
    "convert": "reads any StyleGAN2 file (.pkl, .safetensors, …) and writes it in another form",
    "interp.blend": "blends two models layer by layer: --swap 16 takes the structure of one, the texture of the other",
    "stylegan_jax.sample": "makes the images of seeds, or of projected faces",
}


def main() -> None:
    """Prints every command and what it does."""
    for module, summary in COMMANDS.items():
        print(f"python -m {module:<20} {summary}")
    print("\nEach explains itself with --help.")


if __name__ == "__main__":
    main()
