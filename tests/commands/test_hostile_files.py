"""Small files of our own forms that would hang, fill the memory or speak to the terminal end in one line."""

import json
import zlib

import pytest

from convert.__main__ import main as convert
from interp.blend import blend
from stylegan_jax.commands.train import train
from tests.commands.endings import ends_in_one_line

CONFIG = {"img_resolution": 32, "channel_base": 256, "channel_max": 128, "z_dim": 128, "w_dim": 128}


def own(tmp_path, generator=CONFIG, **changes):
    """A file that claims to be ours."""
    manifest = {"format_version": 1, "config": {"generator": generator}, "lineage": {}, "tensors": {}, "files": {}}
    manifest |= changes
    crc = zlib.crc32(json.dumps(manifest, sort_keys=True).encode())
    return raw(tmp_path, {"__metadata__": {"stylegan_jax": json.dumps({**manifest, "crc32": crc})}})


def raw(tmp_path, header):
    text = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    return tmp_path / "x.safetensors"


@pytest.mark.parametrize(
    "changes",
    [
        {"channel_base": "x"},
        {"mapping_layers": 10**6},
        {"mapping_layers": 1.5},
        {"w_dim": -1},
        {"channel_table": [[]]},
        {"conv_clamp": "y"},
        {"use_noise": 3},
        {"activation": []},
        {"w_dim": 1 << 60},
        {"z_dim": True},
    ],
)
def test_a_configuration_of_no_network_is_refused(tmp_path, capsys, changes):
    assert "description is damaged" in ends_in_one_line(
        capsys, convert, own(tmp_path, CONFIG | changes), tmp_path / "y"
    )


@pytest.mark.parametrize("changes", [{"tensors": []}, {"tensors": {"G_ema.a": {}}}, {"files": 1}, {"lineage": []}])
def test_a_description_of_other_kinds_is_refused(tmp_path, capsys, changes):
    assert "description is damaged" in ends_in_one_line(capsys, convert, own(tmp_path, **changes), tmp_path / "y")


def test_names_in_a_header_do_not_reach_the_terminal(tmp_path, capsys):
    entry = {"dtype": "\x1bZ", "shape": [], "data_offsets": [0, 0]}
    error = ends_in_one_line(capsys, convert, raw(tmp_path, {"\x1b]0;x\x07\nerror: fake": entry}), tmp_path / "y")
    assert r"\x1b]0;x\x07\nerror: fake" in error


def test_a_shape_without_numbers_but_of_endless_sides_is_refused(tmp_path, capsys):
    entry = {"dtype": "F32", "shape": [0, 1 << 62, 1 << 62], "data_offsets": [0, 0]}
    ends_in_one_line(capsys, convert, raw(tmp_path, {"synthesis.b4.const": entry}), tmp_path / "y")


MODELS = "models:\n- path: portraits\n- path: toons\n  schedule: swap=8\n"
LAUGHS = "psi: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{key}: &{to} [{','.join([f'*{of}'] * 8)}]\n"
    for key, of, to in zip(
        ("noise", "w_avg", "mapping", "networks", "seeds", "same_w"), "abcdef", "bcdefg", strict=True
    )
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (MODELS + LAUGHS, "psi is a list"),
        (MODELS + f"psi: {'1' + '0' * 400}", "psi is a huge number"),
        (MODELS + "psi: .nan", "psi is nan"),
        (MODELS + "kinds: [[[1]]]", "kinds[0] is a list"),
        ('"\\e[2J": 1\n' + MODELS, r"'\x1b[2J' is unknown"),
        (MODELS.replace("portraits", '"a\\0b"'), r"path is 'a\x00b'"),
    ],
)
def test_hostile_recipes_are_refused(tmp_path, capsys, text, what):
    (tmp_path / "r.yaml").write_text(text)
    assert what in ends_in_one_line(capsys, blend, "--recipe", tmp_path / "r.yaml", "--out", tmp_path / "y.png")


def test_training_complains_first_of_what_was_typed_first(tmp_path, capsys):
    error = ends_in_one_line(capsys, train, "nosuch", "--out", tmp_path / "r")
    assert error == "error: nosuch: no such folder or zip — check the path\n" and not (tmp_path / "r").exists()
