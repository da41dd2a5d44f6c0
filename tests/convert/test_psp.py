"""Encoders in files of the pSp family: found by their names, and refused in one line where they are not whole."""

import numpy as np
import pytest

import convert
from convert import psp
from convert.pickles import torch_file
from stylegan_jax.errors import InputError
from stylegan_jax.psp import PspConfig
from tests.convert.test_finding import MODEL, rosinality_table

CONFIG = PspConfig(8, channels=(16, 32, 48, 64), units=(1, 1, 1, 1))


def tensors(config=CONFIG):
    """Plausible ones."""
    random = np.random.RandomState(0)
    layout = config.layout()
    scales = {name: np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 1 for name, shape in layout.items()}
    return {
        name: ((random.rand(*shape) - 0.5 * (len(shape) > 1)) * scales[name]).astype(np.float32)
        for name, shape in layout.items()
    }


def tree(change=lambda table: None, *, opts=None, config=CONFIG, model=MODEL, **beside):
    """What an e4e file holds, its encoder's table changed."""
    table = tensors(config)
    change(table)
    counters = {"encoder.input_layer.1.num_batches_tracked": np.array(7)}
    options = {"encoder_type": "Encoder4Editing", **(opts or {})}
    generator = rosinality_table(model, "decoder.")
    encoder = {f"encoder.{name}": leaf for name, leaf in table.items()}
    return {"state_dict": {**encoder, **counters, **generator}, "opts": options, **beside}


def saved(path, tree):
    with open(path, "wb") as file:
        torch_file.save_zip(file, tree)
    return path


def read(tmp_path, tree):
    return convert.read_encoder(saved(tmp_path / "e.pt", tree))


@pytest.mark.parametrize(("kind", "offsets"), [("Encoder4Editing", True), ("GradualStyleEncoder", False)])
def test_an_encoder_is_found_beside_its_generator(tmp_path, kind, offsets):
    found = read(tmp_path, tree(opts={"encoder_type": kind}))
    assert found.config.offsets is offsets and found.config.channels == CONFIG.channels
    for name, leaf in tensors().items():
        np.testing.assert_array_equal(found.weights[name], leaf)
    assert convert.read(tmp_path / "e.pt").config.generator.img_resolution == MODEL.config.generator.img_resolution


def test_the_mean_w_is_that_of_the_file_unless_its_settings_say_otherwise(tmp_path):
    rows = np.random.RandomState(1).rand(8, 64).astype(np.float32)
    np.testing.assert_array_equal(read(tmp_path, tree(latent_avg=rows)).average, rows)
    np.testing.assert_array_equal(read(tmp_path, tree(latent_avg=rows[0])).average, rows[:1])
    settings = {"start_from_latent_avg": False}
    assert not read(tmp_path, tree(latent_avg=rows, opts=settings)).average.any()
    assert not read(tmp_path, tree()).average.any()


def without(name):
    return lambda table: table.pop(name)


def holding(name, value):
    return lambda table: table.update({name: np.full_like(table[name], value)})


REFUSED = {
    "nothing of the kind": ({"state_dict": rosinality_table(prefix="decoder.")}, "holds no encoder of the pSp family"),
    "two": ({"a": tree(), "b": tree()}, "holds 2 encoders"),
    "a tensor is missing": (
        tree(without("body.2.res_layer.3.weight")),
        r"body\.2\.res_layer\.3\.weight: missing, expected \(48, 48, 3, 3\)",
    ),
    "a unit is missing": (tree(without("body.0.res_layer.1.weight")), "is not a whole one: .* more"),
    "another input": (
        tree(lambda table: table.update({"input_layer.0.weight": np.zeros((16, 6, 3, 3), np.float32)})),
        r"input_layer\.0\.weight: \(16, 6, 3, 3\), expected \(16, 3, 3, 3\)",
    ),
    "another tensor": (tree(lambda table: table.update({"fine.weight": np.zeros(3)})), "fine.weight"),
    "three stages": (tree(without("body.3.shortcut_layer.0.weight")), "has 3 stages where pSp's have 4"),
    "NaN": (tree(holding("styles.3.linear.bias", np.nan)), r"styles\.3\.linear\.bias holds what is no number"),
    "a negative variance": (tree(holding("input_layer.1.running_var", -1)), "or no variance"),
    "another kind": (tree(opts={"encoder_type": "WPlusEncoder"}), "its encoder is of kind WPlusEncoder — set opts"),
    "no kind": (tree(opts={"encoder_type": None}), "does not say what its encoder is"),
    "a kind that is no text": (tree(opts={"encoder_type": [1]}), "its encoder is of kind a list"),
    "no mean w": (tree(opts={"start_from_latent_avg": True}), r"its mean w \(latent_avg\) is missing"),
    "a mean w of another width": (tree(latent_avg=np.zeros(7, np.float32)), r"\(latent_avg\) is of shape \(7\)"),
    "settings that are none": ({**tree(), "opts": 3}, "does not say what its encoder is"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_is_no_whole_encoder_is_refused_in_a_line_that_names_the_file(tmp_path, title):
    held, said = REFUSED[title]
    with pytest.raises(InputError, match=said) as error:
        read(tmp_path, held)
    assert str(error.value).startswith(f"{tmp_path}/e.pt: ") and "\n" not in str(error.value)


def test_more_numbers_than_the_file_can_hold_are_refused():
    with pytest.raises(InputError, match="describes more numbers than 1000 bytes hold"):
        psp.find(tree(), 1000)


def test_other_kinds_of_files_are_named(tmp_path):
    (tmp_path / "m.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match="is no file of torch's"):
        convert.read_encoder(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="no such file"):
        convert.read_encoder(tmp_path / "none.pt")
