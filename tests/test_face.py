import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import stylegan_jax as sj
from interp.mix import blend
from interp.schedules import swap
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import sample
from stylegan_jax.storage import shipped
from tests.tiny_models import tiny_model

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [sj.save(tiny_model(seed), folder / name) for seed, name in enumerate(("ffhq.pkl", "toon.safetensors"))]


def test_four_statements_load_blend_and_sample(files):
    base, toon = sj.load(files[0]), sj.load(files[1])
    mixed = blend(base, toon, swap(8))
    images = np.concatenate(list(sample(mixed, seeds=range(3), truncation_psi=0.7)))
    assert images.shape == (3, 16, 16, 3) and images.dtype == np.uint8
    plain = np.concatenate(list(sample(toon, seeds=range(3), truncation_psi=0.7)))
    assert (images != plain).any()


@pytest.mark.parametrize("suffix", [".pkl", ".safetensors", ""])
def test_a_blend_survives_being_saved_in_any_form(files, tmp_path, suffix):
    mixed = blend(sj.load(files[0]), sj.load(files[1]), swap(4))
    again = sj.load(sj.save(mixed, tmp_path / f"mixed{suffix}"))
    assert again.config.generator == mixed.config.generator
    for name, leaf in mixed.networks["G_ema"].items():
        np.testing.assert_array_equal(again.networks["G_ema"][name], leaf, err_msg=name)


def test_saving_over_an_existing_file_is_refused(files):
    with pytest.raises(InputError, match="exists — pass --overwrite"):
        sj.save(tiny_model(), files[0])


def test_a_bare_name_is_a_shipped_model_and_a_path_is_a_path(tmp_path, monkeypatch):
    sj.save(tiny_model(5), tmp_path / "faces.safetensors")
    monkeypatch.setattr(shipped, "_MODELS", tmp_path)
    assert sj.shipped_models() == {"faces": tmp_path / "faces.safetensors"}
    assert sj.load("faces").networks["G_ema"].keys() == tiny_model().networks["G_ema"].keys()
    with pytest.raises(InputError, match=r"\./faces"):
        sj.load("./faces")


def test_the_readme_shows_the_face_as_it_is():
    program = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(program) == 1
    for line in (
        "import stylegan_jax as sj",
        "from interp.mix import blend",
        "from stylegan_jax.sampler import sample",
    ):
        assert line in program[0]
    compile(program[0], "README.md", "exec")
    assert {"base", "transfer", "schedule"} <= set(inspect.signature(blend).parameters)
