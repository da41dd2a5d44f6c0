"""Files of ws in every form people have them."""

import io
import os
import warnings
import zipfile

import numpy as np
import pytest

from convert import ws
from convert.pickles import torch_file
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint
from tests.pictures_and_zips import zipped
from tests.sampling import pixels, sample
from tests.tiny_models import tiny_model

LAYERS, WIDTH = 4, 8
ONE = np.arange(LAYERS * WIDTH, dtype=np.float32).reshape(LAYERS, WIDTH)


def read(*sources, space=None):
    return ws.read([str(source) for source in sources], num_ws=LAYERS, w_dim=WIDTH, space=space)


def torch_save(path, tree):
    with open(path, "wb") as file:
        torch_file.save_zip(file, tree)
    return path


def saved(path, array):
    np.save(path, array)
    return path


def test_a_matrix_with_as_many_rows_as_layers_is_one_w_plus(tmp_path):
    found = read(saved(tmp_path / "one.npy", ONE))
    np.testing.assert_array_equal(found.values, ONE[None])
    assert found.names == ["proj00"]
    assert found.said == [f"{tmp_path / 'one.npy'}: [4, 8] read as one W+ (for plain ws: --w-space w)"]


def test_the_space_that_is_named_decides_where_both_are_possible(tmp_path):
    found = read(saved(tmp_path / "four.npy", ONE), space="w")
    np.testing.assert_array_equal(found.values, np.repeat(ONE[:, None], LAYERS, 1))
    assert "read as 4 ws, each for all 4 layers" in found.said[0]


@pytest.mark.parametrize(
    ("shape", "space", "count"),
    [
        ((8,), None, 1),
        ((1, 8), None, 1),
        ((3, 8), None, 3),
        ((3, 1, 8), None, 3),
        ((3, 4, 8), "w+", 3),
        ((2, 1, 4, 8), None, 2),
        ((4, 4, 8), None, 4),
        ((1, 8), "w", 1),
    ],
)
def test_every_shape_of_ws_is_read(tmp_path, shape, space, count):
    array = np.random.RandomState(0).randn(*shape)
    found = read(saved(tmp_path / "x.npy", array), space=space)
    assert found.values.shape == (count, LAYERS, WIDTH) and found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values[-1, -1], array.reshape(-1, WIDTH)[-1].astype(np.float32))


@pytest.mark.parametrize(
    ("array", "space", "message"),
    [
        (np.zeros((3, 8)), "w+", r"shape \[3, 8\], --w-space w\+ of this model takes \[n, 4, 8\]"),
        (np.zeros((3, 4, 8)), "w", r"shape \[3, 4, 8\], --w-space w of this model takes \[n, 8\]"),
        (np.zeros((1, 6, 8)), None, r"shape \[1, 6, 8\], this model takes \[n, 4, 8\]"),
        (np.zeros((4, 8)), "z", "--w-space z: no such space"),
        (np.full((1, 8), 1e300), None, "NaN or Inf"),
        (np.zeros((0, 8)), None, r"shape \[0, 8\]"),
        (np.zeros((1, 8), bool), None, "bool"),
    ],
)
def test_what_is_no_w_of_the_model_is_refused(tmp_path, array, space, message):
    with pytest.raises(InputError, match=message):
        read(saved(tmp_path / "x.npy", array), space=space)


def test_arrays_that_python_2_saved_are_read_without_a_word(tmp_path):
    file = io.BytesIO()
    np.save(file, np.ones((1, WIDTH), np.float32))
    data = file.getvalue().replace(b"(1, 8), }  ", b"(1L, 8L), }")
    (tmp_path / "w.npy").write_bytes(data)
    (tmp_path / "w.npz").write_bytes(zipped({"w.npy": data}))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name in ("w.npy", "w.npz"):
            assert (read(tmp_path / name).values == 1).all()
    assert not told


def test_the_only_array_of_an_archive_is_read_whatever_its_name(tmp_path):
    np.savez(tmp_path / "x.npz", latent_code=ONE, seeds=np.arange(3))
    assert len(read(tmp_path / "x.npz").values) == 1


def test_of_several_arrays_one_is_named_after_a_colon(tmp_path):
    np.savez(tmp_path / "x.npz", mean=ONE, mine=ONE[None] + 1)
    with pytest.raises(InputError, match=r"several arrays: mean, mine — choose one: --w .*x\.npz:mean"):
        read(tmp_path / "x.npz")
    np.testing.assert_array_equal(read(f"{tmp_path / 'x.npz'}:mine").values, ONE[None] + 1)
    with pytest.raises(InputError, match="no array called yours: mean, mine"):
        read(f"{tmp_path / 'x.npz'}:yours")


@pytest.mark.parametrize("batch", [ONE[None], np.stack([ONE, ONE + 1])])
def test_a_tensor_that_torch_saved_is_read(tmp_path, batch):
    np.testing.assert_array_equal(read(torch_save(tmp_path / "latents.pt", batch)).values, batch)


def test_a_list_of_tensors_is_one_image_each(tmp_path):
    found = read(torch_save(tmp_path / "latents.pt", [ONE, ONE[None] + 1]))
    np.testing.assert_array_equal(found.values, np.stack([ONE, ONE + 1]))
    assert found.names == ["latents", "latents-2"]


def test_the_table_of_the_rosinality_projector_names_its_images(tmp_path):
    table = {"in/me.png": {"img": np.zeros((3, 8, 8), np.float32), "latent": ONE, "noise": []}}
    table |= {"../you.jpeg": {"latent": ONE[0], "noise": []}}
    found = read(torch_save(tmp_path / "project.pt", table))
    assert found.names == ["me", "you"]
    np.testing.assert_array_equal(found.values[1], np.repeat(ONE[:1], LAYERS, 0))


def test_a_table_of_several_tensors_lists_them(tmp_path):
    path = torch_save(tmp_path / "x.pt", {"before": ONE, "after": ONE})
    with pytest.raises(InputError, match=r"several arrays: before, after"):
        read(path)
    assert read(f"{path}:after").names == ["after"]


def test_an_unpacked_torch_file_is_read_from_its_folder(tmp_path):
    with zipfile.ZipFile(torch_save(tmp_path / "x.pt", ONE[None])) as archive:
        archive.extractall(tmp_path / "out")
    np.testing.assert_array_equal(read(tmp_path / "out" / "archive").values, ONE[None])


def test_several_files_and_folders_are_shown_in_order_under_their_names(tmp_path):
    folder = tmp_path / "faces"
    os.makedirs(folder / "run")
    for name in ("w10", "w9"):
        saved(folder / f"{name}.npy", ONE)
    np.savez(folder / "run" / "projected_w.npz", w=np.stack([ONE, ONE]))
    (folder / "notes.txt").write_text("nothing")
    found = read(saved(tmp_path / "grid.npy", ONE), folder)
    assert found.names == ["grid-2", "projected_w-00", "projected_w-01", "w9", "w10"]


def test_a_folder_without_ws_says_so(tmp_path):
    with pytest.raises(InputError, match="holds no files of ws"):
        read(tmp_path)


def test_nothing_is_unpacked_that_cannot_fit(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w") as file,
    ):
        header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 80)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(80):
            file.write(bytes(1 << 23))
    with pytest.raises(InputError, match=r"bomb\.npz: holds an array of shape \[1048576, 80\]"):
        read(tmp_path / "bomb.npz")


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\3\4broken", b"\x93NUMPY\1\0", b"\x80\x02cos\nsystem\n)R."])
def test_other_files_are_refused_by_name(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npy: .* — "):
        read(tmp_path / "x.npy")


def test_the_same_ws_go_through_every_paired_model_and_are_saved(tmp_path):
    files = [checkpoint.save(tiny_model(seed), tmp_path / f"{seed}.safetensors") for seed in (0, 1)]
    one = np.random.RandomState(1).randn(6, 16).astype(np.float32)
    path, out = saved(tmp_path / "me.npy", one), tmp_path / "set"
    assert sample(files[0], "--w", path, "--paired", files[1], "--save-w", "--out", out) == 0
    np.testing.assert_array_equal(np.load(out / "w.npz")["w"], one[None])
    assert sample(files[1], "--w", path, "--out", tmp_path / "alone") == 0
    np.testing.assert_array_equal(pixels(out / "trainB" / "proj00.png"), pixels(tmp_path / "alone" / "proj00.png"))


def test_mixed_styles_are_saved_as_they_were_shown(tmp_path):
    file = checkpoint.save(tiny_model(), tmp_path / "x.safetensors")
    assert sample(file, "--styles", "1x2", "--layers", "0", "--save-w", "--out", tmp_path / "x") == 0
    stored = tmp_path / "x" / "w.npz"
    assert sample(file, "--w", stored, "--out", tmp_path / "again") == 0
    shown = [pixels(tmp_path / "x" / f"{name}.png") for name in ("2-2", "1-1", "1-2")]
    again = [pixels(tmp_path / "again" / f"proj{i:02d}.png") for i in range(3)]
    np.testing.assert_array_equal(shown, again)


def test_names_of_images_leave_room_in_a_file_system_that_counts_bytes(tmp_path):
    np.savez(
        tmp_path / "w.npz", w=np.zeros((2, LAYERS, WIDTH), np.float32), names=np.array(["a" + "漢" * 79, "b" * 99])
    )
    assert read(tmp_path / "w.npz").names == ["a" + "漢" * 39, "b" * 80]
    file, plain = tmp_path / f"{'é' * 120}.npy", tmp_path / "plain one.npy"
    for each in (file, plain):
        np.save(each, np.zeros((1, WIDTH), np.float32))
    assert read(file, plain).names == ["é" * 60, "plain one"]


def test_images_are_called_what_the_file_calls_them(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.zeros((2, LAYERS, WIDTH), np.float32), names=np.array(["ada", "a/bob.jpg"]))
    assert read(tmp_path / "w.npz").names == ["ada", "bob"]
    np.savez(tmp_path / "wrong.npz", w=np.zeros((2, LAYERS, WIDTH), np.float32), names=np.array(["ada"]))
    assert read(tmp_path / "wrong.npz").names == ["proj00", "proj01"]
    np.savez(tmp_path / "odd.npz", w=np.zeros((2, LAYERS, WIDTH), np.float32), names=np.array([b"a", b"b"]))
    assert read(tmp_path / "odd.npz").names == ["proj00", "proj01"]
