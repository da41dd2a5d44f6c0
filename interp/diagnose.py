"""The command `python -m interp.diagnose`: can two models be blended, and are they relatives?"""

import sys
from json import dumps
from pathlib import Path
from typing import Annotated

import stylegan_jax
from interp.options import File, Models, base_and_transfer, positioned
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import typed
from stylegan_jax.storage.downloads import addresses


def diagnose(
    models: Models = (),
    *,
    base: File = None,
    transfer: File = None,
    out: Annotated[str | None, typed("PNG")] = None,
    quality: bool = False,
    json: Annotated[str | None, typed("FILE")] = None,
    overwrite: bool = False,
) -> None:
    """Says whether two models can be blended and whether they are relatives, and how far apart their layers lie.

    python -m interp.diagnose ffhq.pkl toon.pkl --out distances.png

    python -m interp.diagnose portraits toons --quality

    Distances are relative: 0 is the same, about 1.4 what independent models have.

    Args:
      models: two models of any kind; --base and --transfer name them too.
      base: the first.
      transfer: the second.
      out: draw the distances, by layer, as a PNG.
      quality: sample both and their swaps too: how saturated and sharp are blends beside their parents, and do all
        seeds show something?
      json: a file for the same numbers.
      overwrite: replace what is there.
    """
    from interp.diagnosis import Diagnosis
    from stylegan_jax.names import DEFAULT_NETWORKS
    from stylegan_jax.pictures import encoding
    from stylegan_jax.storage import atomic

    if out is not None:
        encoding.form_of(out)
        atomic.output_path(out, overwrite=overwrite)
    if json is not None:
        atomic.output_path(json, overwrite=overwrite)
    paths = base_and_transfer(*positioned(models, base, transfer), stylegan_jax.shipped_models())
    labels = [addresses.as_path(path).name for path in paths]
    one, two = (stylegan_jax.load(path, networks=DEFAULT_NETWORKS) for path in paths)
    diagnosis = Diagnosis(one, two, labels)
    print("\n".join(diagnosis.lines()))
    numbers = diagnosis.to_json()
    if quality:
        from interp import quality as measured

        found = measured.quality((one, two), (labels[0], labels[1]))
        print("\n".join(["", *found.lines()]))
        numbers["quality"] = found.to_json()
    if json is not None:
        with atomic.new_file(Path(json), overwrite=overwrite) as file:
            file.write((dumps(numbers, indent=1) + "\n").encode())
        print(f"wrote {json}")
    if out is not None:
        encoding.write_picture(out, *diagnosis.picture(), overwrite=overwrite)
        print(f"wrote {out}")


if __name__ == "__main__":
    sys.exit(cli.run(diagnose, "python -m interp.diagnose"))
