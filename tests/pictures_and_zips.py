"""Small pictures and zips for tests of what is read."""

import io
import zipfile

from PIL import Image


def picture(size=16, form="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (size, size), (9, 9, 9)).save(file, form)
    return file.getvalue()


def zipped(files, packing=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()
