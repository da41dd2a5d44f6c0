import importlib.metadata
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import stylegan_jax as sj
from interp.mix import blend, blend_all
from interp.schedules import swap
from stylegan_jax.errors import InputError, in_python
from stylegan_jax.sampler import map_seeds, sample, sample_ws
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


def test_saving_over_an_existing_file_is_refused_in_the_words_of_python(files):
    with pytest.raises(InputError, match="exists — pass overwrite=True"):
        sj.save(tiny_model(), files[0])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pass --overwrite, or give it another name", "pass overwrite=True, or give it another name"),
        ("convert it with --networks G_ema", 'convert it with networks=["G_ema"]'),
        ("use --plan plain", 'use plan="plain"'),
        ("pass --psi 1", "pass psi=1"),
        ("--class 3: no class", "class_idx=3: no class"),
        ("pass --w-avg base or --w-avg transfer", 'pass w_avg="base" or w_avg="transfer"'),
        ("a file -- or two", "a file -- or two"),
    ],
)
def test_flags_become_arguments(words, expected):
    assert (in_python(InputError("wrong", words)).remedy, in_python(InputError(words)).what) == (expected, expected)


def test_a_sample_is_one_array_of_the_official_images(files):
    expected = np.concatenate(list(sample(sj.load(files[1]), range(5), truncation_psi=0.7)))
    np.testing.assert_array_equal(sj.sample(files[1], range(5), psi=0.7), expected)
    assert sj.sample(str(files[1]), []).shape == (0, 16, 16, 3)


def test_a_blend_takes_names_paths_models_and_every_way_to_say_a_schedule(files):
    base, toon = sj.load(files[0], networks=["G_ema"]), sj.load(files[1], networks=["G_ema"])
    expected = blend(base, toon, swap(8)).networks["G_ema"]
    for mixed in (sj.blend(files[0], toon, 8), sj.blend(base, str(files[1]), "swap=8"), sj.blend(base, toon, swap(8))):
        assert mixed.networks["G_ema"].keys() == expected.keys()
        for name, leaf in mixed.networks["G_ema"].items():
            np.testing.assert_array_equal(leaf, expected[name], err_msg=name)
    with pytest.raises(InputError, match="not a resolution of this model") as caught:
        sj.blend(base, toon, 24)
    assert "--" not in str(caught.value)


def test_a_sheet_is_a_picture_with_a_row_for_each_model(files):
    base, toon = (sj.load(path) for path in files)
    one, two = sj.sheet(base, range(3)), sj.sheet({"a": base, "b": toon}, range(3), psi=0.5, same_w=True)
    assert one.mode == "RGB" and two.height > one.height > 100 and one.width > 3 * 100
    with pytest.raises(InputError, match="columns are too many"):
        sj.sheet(base, range(1000))


def test_a_model_says_what_it_is_in_one_line_and_in_a_notebook(files):
    model = sj.load(files[0], networks=["G_ema"])
    assert re.fullmatch(r"<Model 'ffhq.pkl': 16×16, G_ema 0\.\d M>", repr(model))
    shown = model._repr_html_()
    assert shown and "16×16" in shown and "data:image/png;base64," in shown and "<script" not in shown


def test_the_version_is_that_of_the_package():
    assert sj.__version__ == importlib.metadata.version("stylegan-jax")


def test_public_functions_name_their_arguments():
    """No `**options: Any`: names, types and defaults are in the signature."""
    for function in (*(getattr(sj, name) for name in sj.__all__), sample, sample_ws, map_seeds, blend, blend_all):
        kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
        assert inspect.Parameter.VAR_KEYWORD not in kinds, function.__name__


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
        "base, toon = sj.load(",
        "mixed = sj.blend(base, toon, 16)",
    ):
        assert line in program[0]
    compile(program[0], "README.md", "exec")
    assert {"base", "transfer", "schedule"} <= set(inspect.signature(blend).parameters)
