"""Files of ws that promise more than they hold are refused before anything is unpacked."""

import io
import struct
import zipfile

import numpy as np
import pytest

from stylegan_jax.commands.sample import sample
from stylegan_jax.storage import checkpoint
from tests.commands.endings import ends_in_one_line
from tests.pictures_and_zips import zipped
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return checkpoint.save(tiny_model(), tmp_path_factory.mktemp("model") / "tiny.safetensors")


def npy(shape, descr="<f4", data=b""):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + data


@pytest.mark.parametrize(
    "data",
    [
        npy((10**9, 6, 16)),
        npy((0, 2**62, 2**62)),
        npy((2**61, 2**62), data=bytes(100)),
        npy((1,), "|V1000000000"),
        npy((1, 16), "<f8", np.full(16, 1e300).tobytes()),
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 8999 + b"\n",
        zipped({"w.npy": npy((10**7, 6, 16), data=bytes(1000))}),
        zipped({"w.npy": npy((700_000, 6, 16), data=bytes(700_000 * 6 * 64))}),
        zipped({"w.npy": npy((900_000, 16), data=bytes(900_000 * 64))}),
        zipped({f"{i}.npy": npy((1, 16)) for i in range(2000)}),
        zipped({"w.npy": npy((1, 16), data=bytes(64))}, zipfile.ZIP_LZMA),
        zipped({"\x1b[2Ja\n.npy": npy((1, 16), data=bytes(64)), "b.npy": npy((1, 16), data=bytes(64))}),
    ],
    ids=[
        "long",
        "zero",
        "overflow",
        "void",
        "1e300",
        "nested",
        "promise",
        "bomb",
        "plain bomb",
        "many",
        "lzma",
        "escape",
    ],
)
def test_hostile_files_of_ws_are_refused(model, tmp_path, capsys, data):
    (tmp_path / "w.npz").write_bytes(data)
    ends_in_one_line(capsys, sample, model, "--w", tmp_path / "w.npz", "--out", tmp_path / "y")
