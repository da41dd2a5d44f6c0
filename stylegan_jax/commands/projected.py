"""What commands write of projections: the ws, and a sheet of the photographs and what the model makes of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegan_jax.commands.photographs import Photograph, names_of
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.projection.align import Crop
    from stylegan_jax.projection.project import Projection
    from stylegan_jax.storage.checkpoint import Model


class Place:
    """Where both go: x.npz and x.png. Raises InputError for another suffix, what exists, and one of the photographs."""

    def __init__(self, out: str, photos: "Sequence[Photograph]", *, overwrite: bool):
        from stylegan_jax.storage import atomic

        self._ws, self._sheet, self._overwrite = Path(out), Path(out).with_suffix(".png"), overwrite
        if self._ws.suffix.lower() != ".npz":
            raise InputError("is no place for ws", "end it in .npz", file=f"--out {out}")
        atomic.check_no_input((self._ws, self._sheet), [photo.name for photo in photos])
        for each in (self._ws, self._sheet):
            atomic.output_path(each, overwrite=overwrite)

    def write(
        self, model: "Model", crops: "Sequence[tuple[Photograph, Crop]]", made: "Projection", notes: Mapping[str, Any]
    ) -> None:
        """Writes both, and says how like the photographs the images are; `notes` tell how they were found."""
        from stylegan_jax.pictures import encoding, latentfiles
        from stylegan_jax.projection.project import side_by_side
        from stylegan_jax.storage import checkpoint

        names = names_of(crops)
        note = {
            "model": str(model.lineage.get("source")),
            "model_sha256": checkpoint.fingerprint(model),
            "photographs": names,
            **notes,
            "losses": [round(float(value), 5) for value in made.losses],
        }
        latentfiles.write_ws(self._ws, [made.ws], made.ws.shape, note, names=names)
        picture = side_by_side([crop.pixels for _, crop in crops], list(made.images))
        encoding.write_picture(self._sheet, picture, note, overwrite=self._overwrite)
        for name, psnr, similar in zip(names, made.psnr, made.ms_ssim, strict=True):
            print(f"{name}: {psnr:.1f} dB, MS-SSIM {similar:.2f}")
        print(f"wrote {self._ws} and {self._sheet}")
