"""TorchScript archives are read without their programs; what only older files have is read too."""

import zipfile

import numpy as np
import pytest

import convert
from convert import vgg16
from convert.pickles.allowed import Instance
from convert.reading import tree_of
from stylegan_jax.errors import InputError
from tests.convert import pickle_assembler as assembler
from tests.convert.multiplied_pickles import get, put, table
from tests.convert.pickle_assembler import EVIL, call, pickled, text


def module(name, state):
    """Pushes an object of a TorchScript class."""
    return f"c__torch__.{name}\nNet\n)\x81".encode("latin-1") + table(state) + b"b"


def saved(path, pickle):
    """An archive as torch.jit.save writes it, with a program that is compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", pickle)
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/code/__torch__.py", "import os; os.system('true')" * 9, zipfile.ZIP_DEFLATED)
    return path


def test_objects_of_modules_are_named_tables_and_typed_lists_are_lists(tmp_path):
    numbers = call("torch.jit._pickle", "build_intlist", b"](K\x01K\x02e\x85")
    words = call("torch.jit._pickle", "restore_type_tag", b"(]" + text("List[str]") + b"t")
    state = {"layers": module("torch.nn.___torch_mangle_0", {"k": b"K\x07"}), "sizes": numbers, "names": words}
    tree, _ = tree_of(saved(tmp_path / "v.pt", pickled(module("net", state))), scripted=True)
    assert type(tree) is Instance and tree.state["layers"].state == {"k": 7}
    assert tree.state["sizes"] == [1, 2] and tree.state["names"] == []


@pytest.mark.parametrize(
    ("pickle", "said"),
    [
        (EVIL, "asks for os.system"),
        (pickled(module("net", {"x": EVIL[2:-1]})), "asks for os.system"),
        (pickled(b"c__torch__.a.b\neval\n(" + text("1") + b"tR"), "is damaged|calls"),
        (pickled(call("torch.jit._pickle", "build_tensor_from_id", b"(K\x01t")), "asks for torch.jit._pickle"),
        (pickled(call("__torch__os", "Popen", b")")), "holds no VGG16|asks for"),
    ],
)
def test_nothing_else_can_be_called(tmp_path, pickle, said):
    with pytest.raises(InputError, match=said):
        convert.read_vgg16(saved(tmp_path / "v.pt", pickle))


def test_a_torchscript_archive_is_no_model(tmp_path):
    with pytest.raises(InputError, match="is a compressed zip archive"):
        convert.read(saved(tmp_path / "v.pt", pickled(module("net", {}))))


def test_tables_that_many_share_are_walked_once(tmp_path):
    parts = [b"}" + put(0) + b"0"]
    for i in range(12):
        parts.append(table({f"a{j}": get(i) for j in range(100)}) + put(i + 1) + b"0")
    with pytest.raises(InputError, match="holds no VGG16"):
        convert.read_vgg16(saved(tmp_path / "v.pt", pickled(*parts, get(12))))


def test_numbers_of_other_types_are_no_weights(tmp_path):
    tensors = {name: np.zeros(shape, bool) for name, shape in vgg16.layout().items()}
    found = vgg16._checked(tensors)
    assert all(leaf.dtype == np.float32 for leaf in found.values())


def test_names_of_python_2_are_text(tmp_path):
    name = b"lin0"
    (tmp_path / "v.pth").write_bytes(
        assembler.stream(object_=b"\x80\x02}U\x04" + name + b"K\x03s.", keys=b"\x80\x02].")
    )
    assert tree_of(tmp_path / "v.pth")[0] == {"lin0": 3}
