"""Cases of files of ws."""

import io
import pickle
import shutil
import zipfile

import numpy as np

from tests.commands.remedies.case import Case
from tests.commands.remedies.steps import array, file, zipped

WS, ARRAYS = "convert/ws.py", "convert/warrays.py"
SHOWN = "ffhq.safetensors --out faces --w"
FORM = "pass floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz or .pt"
FINITE = "pass finite floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz, .pt or a folder of those"
FIT = "use the model they were projected with, or a blend of it"
ROWS = np.zeros((6, 16), np.float32)


def _cut():
    """An archive whose array is shorter than it says."""
    file = io.BytesIO()
    np.save(file, ROWS)
    with zipfile.ZipFile("x.npz", "w") as archive:
        archive.writestr("w.npy", file.getvalue()[:-200])


_WS = [
    Case(WS, "use w or w+", "sample", f"{SHOWN} both.npy --w-space z", array("both.npy", ROWS)),
    Case(
        WS,
        "put {} files there",
        "sample",
        f"{SHOWN} empty",
        file("empty/read.me"),
        lambda: shutil.copy("w.npy", "empty/w.npy"),
    ),
    Case(
        "stylegan_jax/storage/inputs.py",
        "{}",
        "sample",
        f"{SHOWN} no.npy",
        follow=lambda: shutil.copy("w.npy", "no.npy"),
    ),
    Case(WS, FIT, "sample", f"{SHOWN} wide.npy", follow=f"{SHOWN} w.npy"),
    Case(WS, FINITE, "sample", f"{SHOWN} x.npy", array("x.npy", np.zeros((6, 16), np.int32)), array("x.npy", ROWS)),
    Case(WS, FINITE, "sample", f"{SHOWN} x.npy", array("x.npy", np.zeros((0, 16), np.float32)), array("x.npy", ROWS)),
    Case(
        WS,
        FINITE,
        "sample",
        f"{SHOWN} x.npy",
        array("x.npy", np.full((2, 16), np.nan, np.float32)),
        array("x.npy", ROWS),
    ),
    Case(ARRAYS, "choose one: --w {}:{}", "sample", f"{SHOWN} several.npz"),
    Case(ARRAYS, "choose one: --w {}:{}", "sample", f"{SHOWN} several.npz:c"),
    Case(ARRAYS, "choose one: --w FILE:{}", "sample", f"{SHOWN} t.pt", zipped({"a": ROWS, "b": ROWS}, "t.pt")),
    Case(
        ARRAYS,
        "choose one of these",
        "sample",
        f"{SHOWN} t.pt:c",
        zipped({"a": ROWS, "b": ROWS}, "t.pt"),
        [f"{SHOWN} t.pt:{name}" for name in "ab"],
    ),
    Case(
        "stylegan_jax/storage/inputs.py",
        "download it again",
        "sample",
        f"{SHOWN} x.npy",
        file("x.npy", b""),
        array("x.npy", ROWS),
    ),
    Case(
        ARRAYS,
        "export it again",
        "sample",
        f"{SHOWN} x.npz",
        file("x.npz", b"PK\3\4broken"),
        lambda: np.savez("x.npz", w=ROWS),
    ),
    Case(
        "stylegan_jax/storage/arrays.py",
        "export it again",
        "sample",
        f"{SHOWN} x.npz",
        _cut,
        lambda: np.savez("x.npz", w=ROWS),
    ),
    Case(ARRAYS, FORM, "sample", f"{SHOWN} x.npy", file("x.npy", b"<html>"), array("x.npy", ROWS)),
    Case(ARRAYS, FORM, "sample", f"{SHOWN} x.npy", file("x.npy", b"\x93NUMPY\1\0"), array("x.npy", ROWS)),
    Case(ARRAYS, FORM, "sample", f"{SHOWN} x.pkl", file("x.pkl", pickle.dumps([1, 2])), f"{SHOWN} w.npy"),
]

CASES = _WS
