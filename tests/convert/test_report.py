"""The conversion report accounts for every tensor; half precision says what it costs."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

import convert
from convert import precision, reading, report
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.checkpoint import Model
from tests.golden_data import ROOT, golden
from tests.tiny_models import tiny_model


def rows_of(path):
    return report.rows(*reading.read_with_origins(path))


def rows_by_name(path):
    return {f"{row.network}.{row.target}": row for row in rows_of(path)}


@pytest.mark.parametrize("path", ["gen/s06_gray128.pkl", "tf/s10_tf_ada64.pkl", "rosinality/s13_ros_train64.pt"])
def test_every_tensor_has_one_row_with_its_hash(path):
    model, rows = convert.read(golden(path)), rows_by_name(golden(path))
    wanted = {f"{network}.{name}": leaf for network, leaves in model.networks.items() for name, leaf in leaves.items()}
    assert set(rows) == set(wanted)
    for name, leaf in wanted.items():
        assert rows[name].shape == leaf.shape and rows[name].sha256 == hashlib.sha256(leaf.tobytes()).hexdigest()


def test_rows_name_the_source_and_what_it_went_through():
    rows = rows_by_name(golden("tf/s10_tf_ada64.pkl"))
    row = rows["G_ema.synthesis.b8.conv0.weight"]
    assert (row.source, row.transform) == ("synthesis/8x8/Conv0_up/weight", "HWIO → OIHW, flipped")
    assert rows["G.synthesis.b8.conv0.affine.bias"].transform == "+ 1"
    assert rows["D.b4.fc.weight"].source == "4x4/Dense0/weight"
    row = rows["G_ema.synthesis.b8.conv0.resample_filter"]
    assert (row.source, row.transform) == ("", "from the filter's taps")
    rows = rows_by_name(golden("rosinality/s13_ros_train64.pt"))
    assert rows["G_ema.mapping.w_avg"].transform == "mean of 10000 w"
    assert rows["D.b64.fromrgb.weight"].source == "convs.0.0.weight"


def test_no_source_is_used_twice_and_made_tensors_have_none():
    for path in ("tf/s11_tf_sg2_32.pkl", "rosinality/s12_ros_conv32.pt"):
        sources = [(row.network, row.source) for row in rows_of(golden(path)) if row.source]
        assert len(sources) == len(set(sources))


def test_the_report_is_json_and_a_table(tmp_path):
    path = convert.write(tiny_model(), tmp_path / "x.safetensors")
    rows = rows_of(path)
    assert json.loads(json.dumps(report.as_json(rows)))[0]["network"] == "G_ema"
    lines = report.as_table(rows).splitlines()
    assert lines[0].split() == ["network", "tensor", "from", "transform", "shape", "dtype", "sha256"]
    assert len(lines) == len(rows) + 1
    assert any("noise_strength" in line and "scalar" in line and "same name" in line for line in lines)


def test_half_precision_is_half_the_size_and_reads_as_float32(tmp_path):
    original = tiny_model()
    half = precision.halved(original)
    path = checkpoint.save(half, tmp_path / "x.safetensors")
    whole = checkpoint.save(original, tmp_path / "y.safetensors")
    found = convert.read(path)
    assert "half precision: errors of at most" in found.lineage["notes"][-1]
    for name, leaf in found.networks["G_ema"].items():
        assert leaf.dtype == np.float32
        np.testing.assert_allclose(leaf, original.networks["G_ema"][name], rtol=1e-3, atol=1e-4)
    tensors = sum(leaf.nbytes for leaf in original.networks["G_ema"].values())
    assert whole.stat().st_size - path.stat().st_size == pytest.approx(tensors / 2, rel=0.1)


def test_what_exceeds_half_precision_is_named():
    original = tiny_model()
    leaves = {**original.networks["G_ema"], "mapping.fc0.bias": np.full(16, 7e4, np.float32)}
    with pytest.raises(InputError, match=r"1 tensors exceed half precision: G_ema.mapping.fc0.bias \(up to 7e\+04\)"):
        precision.halved(Model(original.config, {"G_ema": leaves}, {}))


def test_a_training_run_is_its_latest_snapshot(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="no snapshot yet"):
        convert.read(tmp_path)
    for kimg in (0, 16):
        checkpoint.save(tiny_model(seed=kimg), tmp_path / f"network-snapshot-{kimg:06d}.safetensors")
    found, expected = convert.read(tmp_path), tiny_model(seed=16)
    np.testing.assert_array_equal(found.networks["G_ema"]["mapping.w_avg"], expected.networks["G_ema"]["mapping.w_avg"])


def run(*arguments):
    command = [sys.executable, "-m", "convert", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_command_writes_every_form_and_the_report(tmp_path):
    source = golden("gen/s09_base64.pkl")
    ended = run(source, tmp_path / "x.pt", "--report", tmp_path / "x.json")
    assert ended.returncode == 0, ended.stderr
    assert "note: a .pt holds no clamp: 256 is left out" in ended.stdout
    assert len(json.loads((tmp_path / "x.json").read_text())) == len(rows_of(source))
    ended = run(tmp_path / "x.pt", tmp_path / "y.pkl", "--to", "sg3")
    assert ended.returncode == 0 and convert.read(tmp_path / "y.pkl").lineage["format"] == "stylegan3"


def test_the_command_refuses_half_precision_for_other_programs(tmp_path):
    source = convert.write(tiny_model(), tmp_path / "x.pkl")
    ended = run(source, tmp_path / "y.pkl", "--half")
    assert ended.returncode == 2 and "other programs expect float32" in ended.stderr
    assert run(source, tmp_path / "half", "--half").returncode == 0
    assert "exists" in run(source, tmp_path / "half").stderr
    assert "up to date" in run(source, tmp_path / "half", "--half").stdout
