"""The images as they travel: lossless WebP in one zip for each folder, a third smaller than PNG."""

import io
import zipfile
from pathlib import Path

from PIL import Image


def pack(images: Path, place: Path) -> None:
    """Writes `place`/NAME.zip for every folder of `images`."""
    place.mkdir(parents=True, exist_ok=True)
    for folder in sorted(path for path in images.iterdir() if path.is_dir()):
        target = place / f"{folder.name}.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(folder.glob("*.png")):
                data = io.BytesIO()
                Image.open(path).save(data, "WEBP", lossless=True, quality=60)
                archive.writestr(f"{path.stem}.webp", data.getvalue())
        print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")
