"""`python -m interp.edit`, and what `--edit` of other commands does."""

import numpy as np
import pytest
from PIL import Image

import stylegan_jax as sj
from interp import film as film_command
from interp.blend import blend
from interp.edit import edit
from interp.figures import figures
from interp.recipes import Ingredient, Recipe
from interp.replay import blend_recipe, read_models
from interp.sheets import View
from interp.strips import STRENGTHS, heat, strips
from interp.toons import Toons
from stylegan_jax.commands import cli
from stylegan_jax.commands.sample import sample
from stylegan_jax.editing import channels, directionfile, finding
from stylegan_jax.editing.directions import Directions
from stylegan_jax.editing.edits import step_of
from stylegan_jax.pictures import images
from stylegan_jax.projection.project import Projection
from stylegan_jax.sampler import batching, map_seeds, programs, sample_ws
from stylegan_jax.sampler import sample as sampled
from tests.tiny_models import tiny_model


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        sj.save(tiny_model(seed), f"{name}.safetensors")
    directionfile.write("found.npz", finding.sefa(tiny_model(0), 3, [0, 1, 2]))
    return tmp_path


def run(command, words, code=0):
    assert cli.run(command, "command", words.split()) == code


def read(name):
    return directionfile.read(name, tiny_model(0).config.generator)


@pytest.mark.parametrize("how", ["sefa", "pca --samples 200"])
def test_directions_are_found_saved_and_drawn(here, how):
    run(edit, f"a.safetensors --find {how} --count 3 --cell 16 --out d.npz")
    assert read("d.npz").names == tuple(f"{how[:4].strip()}{i}" for i in range(3))
    assert images.made_by("d.png")["directions"]["method"] == how[:4].strip()
    assert images.read("d.png").shape[0] > 3 * 16


def test_without_a_name_the_file_is_called_after_the_model_and_the_method(here):
    run(edit, "a.safetensors --find sefa --count 1")
    assert read("a-sefa.npz").names == ("sefa0",)
    run(edit, "a.safetensors --find sefa --count 1", code=2)  # which replaces nothing


def test_directions_get_names_and_a_sheet_each(here):
    run(edit, "a.safetensors --directions found.npz --name sefa2=age --name sefa0=pose --strips --out named.npz")
    named, found = read("named.npz"), read("found.npz")
    assert named.names == ("age", "pose")
    np.testing.assert_array_equal(named.vectors, found.vectors[[2, 0]])
    assert {path.name for path in here.glob("*.png")} == {"named.png", "named-age.png", "named-pose.png"}


def test_a_direction_is_found_between_two_sets(here):
    ws = map_seeds(tiny_model(0), range(20))
    np.save("without.npy", ws[:10])
    np.save("with.npy", ws[10:] + 1)
    run(edit, "a.safetensors --from-latents without.npy with.npy --name age --method classifier --out age.npz")
    assert read("age.npz").names == ("age",) and read("age.npz").card["method"] == "classifier"


def test_a_sample_is_that_of_the_moved_w(here):
    edits = "--edit sefa1=2:0-3 --edit sefa0=-1 --directions found.npz"
    run(sample, f"a.safetensors --seeds 3-5 --psi 0.7 {edits} --save-w --out s")
    model, found = tiny_model(0), read("found.npz")
    ws = map_seeds(model, range(3, 6), truncation_psi=0.7) + found.edit("sefa1", 2, range(4)) + found.edit("sefa0", -1)
    expected = np.concatenate([*sample_ws(model, ws)])
    for i, image in enumerate(expected):
        assert np.abs(images.read(f"s/seed{i + 3:04d}.png").astype(int) - image).max() <= 1
    np.testing.assert_allclose(np.load("s/w.npz")["w"], ws, atol=1e-5)


def test_an_edit_of_nothing_makes_the_same_bits(here):
    for name, more in (("plain", ""), ("edited", " --edit sefa1=0 --directions found.npz")):
        run(sample, f"a.safetensors --seeds 0-3 --out {name}{more}")
    for i in range(4):
        np.testing.assert_array_equal(images.read(f"plain/seed{i:04d}.png"), images.read(f"edited/seed{i:04d}.png"))


def test_a_run_with_another_edit_is_another_job(here):
    run(sample, "a.safetensors --seeds 0 --edit sefa1=1 --directions found.npz --out s")
    run(sample, "a.safetensors --seeds 0 --edit sefa1=2 --directions found.npz --out s", code=2)


def test_a_blend_is_edited_and_replayed(here):
    run(blend, "a.safetensors b.safetensors --swap 8 --seeds 0-1 --out plain.png")
    run(blend, "a.safetensors b.safetensors --swap 8 --seeds 0-1 --edit sefa0=3 --directions found.npz --out x.png")
    assert (images.read("x.png") != images.read("plain.png")).any()
    run(blend, "--recipe x.png --out y.png")
    np.testing.assert_array_equal(images.read("x.png"), images.read("y.png"))


def test_directions_of_another_w_are_warned_of(here, capsys):
    run(sample, "b.safetensors --seeds 0 --edit sefa0=1 --directions found.npz --out x.png")
    warning = "warning: sefa0: found in the w of tiny-0, another mapping network: it may mean nothing here"
    assert warning in capsys.readouterr().err


def test_a_film_is_edited(here):
    words = "a.safetensors b.safetensors --swap 2..8 --seeds 0 --seconds 0.2 --fps 10 --size 16 --out"
    run(film_command.film, f"{words} plain.gif")
    run(film_command.film, f"{words} edited.gif --edit sefa0=3 --directions found.npz")
    assert (here / "plain.gif").read_bytes() != (here / "edited.gif").read_bytes()


def stored_in_z(name="z.npz"):
    """A file of one direction in z."""
    vectors = np.linspace(-1, 1, 16, dtype=np.float32)[None, None]
    one = np.ones((1, 1), bool)
    directionfile.write(name, Directions(("age",), vectors, np.ones(1, np.float32), one, {"space": "z"}))
    return vectors[0, 0]


def mask(name="mask.png"):
    """A picture of a region: the upper half."""
    images.write_png(name, np.repeat(np.array([[255], [0]], np.uint8), 2, 1)[..., None])


def test_a_style_channel_is_moved(here):
    run(sample, "a.safetensors --seeds 3-5 --style b8.conv1:3=+5 --style b4.torgb:0=-2 --out s")
    shift = step_of([], [], tiny_model(0), styles=["b8.conv1:3=5", "b4.torgb:0=-2"]).shift
    expected = np.concatenate([*sampled(tiny_model(0), range(3, 6), shift=shift)])
    for i, image in enumerate(expected):
        np.testing.assert_array_equal(images.read(f"s/seed{i + 3:04d}.png"), image)


@pytest.mark.parametrize("what", ["--seeds 0-1", "--w w.npy", "--styles 0x1"])
def test_ws_and_grids_are_styled_too(here, what):
    np.save("w.npy", map_seeds(tiny_model(0), range(2)))
    run(sample, f"a.safetensors {what} --out plain.png")
    run(sample, f"a.safetensors {what} --style b8.conv1:3=9 --out styled.png")
    run(sample, f"a.safetensors {what} --style b8.conv1:3=0 --out zero.png")
    assert (images.read("plain.png") != images.read("styled.png")).any()
    np.testing.assert_array_equal(images.read("plain.png"), images.read("zero.png"))


def test_a_run_with_another_style_is_another_job(here):
    run(sample, "a.safetensors --seeds 0-1 --style b8.conv1:3=1 --part 0/2 --out s")
    run(sample, "a.safetensors --seeds 0-1 --style b8.conv1:3=2 --part 1/2 --out s", code=2)
    run(sample, "a.safetensors --seeds 0-1 --style b8.conv1:3=1 --part 1/2 --out s")


def test_channels_are_found_by_a_mask_named_and_gone_along(here, capsys):
    mask()
    run(edit, "a.safetensors --find styles --mask mask.png --count 3 --seeds 0-1 --cell 16 --out found-styles.npz")
    found = read("found-styles.npz")
    assert found.space == "style" and f"{found.names[0]}: changes " in capsys.readouterr().out
    assert images.made_by("found-styles.png")["directions"]["inside"] == found.card["inside"]
    run(edit, f"a.safetensors --directions found-styles.npz --name {found.names[1]}=hair --cell 16 --out hair.npz")
    assert read("hair.npz").card["inside"] == found.card["inside"][1:2]
    run(sample, "a.safetensors --seeds 0 --edit hair=3 --directions hair.npz --out named.png")
    run(sample, f"a.safetensors --seeds 0 --style {found.names[1]}=3 --out typed.png")
    np.testing.assert_array_equal(images.read("named.png"), images.read("typed.png"))


def test_channels_are_found_between_two_sets(here, capsys):
    ws = map_seeds(tiny_model(0), range(20))
    np.save("without.npy", ws[:10])
    np.save("with.npy", ws[10:] + 1)
    run(edit, "a.safetensors --find styles --from-latents without.npy with.npy --count 3 --cell 16")
    assert read("a-styles.npz").names == channels.between(tiny_model(0), ws[:10], ws[10:] + 1, 3).names
    assert "theta" in capsys.readouterr().out


def test_a_boundary_in_z_is_made_a_file_that_says_so(here):
    np.save("age.npy", np.linspace(-1, 1, 16, dtype=np.float32)[None])
    run(edit, "a.safetensors --directions age.npy --directions-space z --cell 16 --out age.npz")
    assert read("age.npz").space == "z"
    run(sample, "a.safetensors --seeds 3-5 --edit age=2 --directions age.npz --save-w --out s")
    step = 2 * np.linspace(-1, 1, 16, dtype=np.float32)
    np.testing.assert_allclose(np.load("s/w.npz")["w"], map_seeds(tiny_model(0), range(3, 6), z_step=step), atol=1e-5)


@pytest.mark.parametrize(
    "words", ["sample a.safetensors --w w.npy", "blend a.safetensors b.safetensors --swap 8 --w w.npy"]
)
def test_ws_that_are_given_have_no_z(here, capsys, words):
    np.save("w.npy", map_seeds(tiny_model(0), range(2)))
    stored_in_z()
    command, _, typed = words.partition(" ")
    run({"sample": sample, "blend": blend}[command], f"{typed} --edit age=1 --directions z.npz --out x.png", code=2)
    assert "error: --edit age: goes along z, which ws no longer have — show seeds" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["--style b8.conv1:3=9", "--edit age=2 --directions z.npz"])
def test_blends_figures_and_films_show_such_edits_and_recipes_keep_them(here, how):
    stored_in_z()
    pair = "a.safetensors b.safetensors"
    drawn = {
        "blend.png": (blend, f"{pair} --swap 8 --seeds 0-1"),
        "strip.png": (figures, f"strip {pair} --seeds 0-1"),
        "uncurated.png": (figures, f"uncurated {pair} --cell 16"),
        "film.gif": (film_command.film, f"{pair} --swap 2..8 --seeds 0 --seconds 0.2 --fps 10 --size 16"),
    }
    for name, (command, words) in drawn.items():
        run(command, f"{words} --out plain-{name}")
        run(command, f"{words} {how} --out {name}")
        assert (here / f"plain-{name}").read_bytes() != (here / name).read_bytes(), name
        assert (images.read(f"plain-{name}") != images.read(name)).any(), name
    run(blend, "--recipe blend.png --out again.png")
    np.testing.assert_array_equal(images.read("blend.png"), images.read("again.png"))


def test_what_is_projected_is_styled_by_every_blend(here):
    recipe = Recipe(
        models=(Ingredient(path="a.safetensors"), Ingredient(path="b.safetensors", schedule="swap=8")), psi=1.0
    )
    loaded, ws = read_models(recipe), map_seeds(tiny_model(0), range(2))
    step, nothing = step_of([], [], loaded[0].model, styles=["b8.conv1:3=9"]), np.zeros(2, np.float32)
    made = Projection(ws, np.concatenate([*sample_ws(tiny_model(0), ws)]), nothing, nothing, nothing)
    assert Toons(recipe, loaded).moved(made) is made
    toons = Toons(recipe, loaded, None, step)
    mixed = blend_recipe(recipe, loaded)
    for pictures, model in ((toons.moved(made).images, loaded[0].model), (toons.images(ws)["swap=8"], mixed)):
        expected = np.concatenate([*sample_ws(model, ws, shift=step.shift)])
        assert np.abs(pictures.astype(int) - expected).max() <= 1


def test_a_saved_blend_is_not_styled_and_its_recipe_is(here):
    run(blend, "a.safetensors b.safetensors --swap 8 --seeds 0-1 --out plain.safetensors")
    run(blend, "a.safetensors b.safetensors --swap 8 --seeds 0-1 --style b8.conv1:3=9 --out styled.safetensors")
    plain, styled = sj.load("plain.safetensors"), sj.load("styled.safetensors")
    for name, leaf in plain.networks["G_ema"].items():
        np.testing.assert_array_equal(leaf, styled.networks["G_ema"][name])
    assert styled.lineage["recipe"]["styles"] == ["b8.conv1:3=9"]


def test_strips_of_styles_and_of_z_are_what_single_edits_make(here):
    model, view = tiny_model(0), View(range(2))
    step = stored_in_z()
    found = channels.along(model, np.array([3, 27]), [1.0, -1.0], {})
    drawn = strips(model, found, view)
    for i, text in enumerate(("b4.conv1:3=2", "b8.conv1:3=-2")):
        shift = step_of([], [], model, styles=[text]).shift
        np.testing.assert_array_equal(
            drawn[i, 5], np.concatenate([*sampled(model, range(2), truncation_psi=0.7, shift=shift)])
        )
    (drawn,) = strips(model, read("z.npz"), view)
    for strength, row in zip(STRENGTHS, drawn, strict=True):
        one = [*sampled(model, range(2), truncation_psi=0.7, z_step=np.float32(strength) * step)]
        assert np.abs(row.astype(int) - np.concatenate(one)).max() <= 1


def test_strips_compile_nothing_for_another_direction(here):
    model, view = tiny_model(0), View(range(2))
    program = programs.synthesis_program(model.config.generator, batching.choose(model.config.generator))
    strips(model, channels.along(model, np.array([3]), [1.0], {}), view)
    before = program._cache_size()
    strips(model, channels.along(model, np.arange(40, 50), [1.0] * 10, {}), view)
    strips(model, finding.sefa(model, 3), view)
    assert program._cache_size() == before


def test_the_middle_of_a_strip_is_the_unedited_image_and_heat_is_where_the_ends_differ():
    model, found = tiny_model(0), finding.sefa(tiny_model(0), 2)
    view = View(range(2), psi=1.0)
    drawn = strips(model, found, view)
    assert drawn.shape == (2, len(STRENGTHS), 2, 16, 16, 3)
    plain = np.concatenate([*sample_ws(model, view.ws_of(model))])
    assert np.abs(drawn[0, 3].astype(int) - plain).max() <= 1
    still = np.zeros((len(STRENGTHS), 1, 8, 8, 3), np.uint8)
    moved = still.copy()
    moved[-1, 0, 2, 3] = 50
    assert not heat(still).any()
    assert np.argwhere(heat(moved)[..., 0]).tolist() == [[2, 3]] and heat(moved).max() == 255


def test_no_output_replaces_what_it_is_made_from(here, capsys):
    Image.fromarray(np.array([[255, 255], [0, 0]], np.uint8)).save("mouth.png")
    there = {path.name: path.read_bytes() for path in here.iterdir()}
    typed = [
        "--find styles --mask mouth.png --out mouth.npz",
        "--from-latents found.npz:directions found.npz --out found.npz",
        "--directions found.npz --out ./found.npz",
    ]
    for more in typed:
        for overwrite in ("", " --overwrite"):
            run(edit, f"a.safetensors {more}{overwrite}", code=2)
            assert "is an input — give the output another name" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in here.iterdir()} == there


def test_a_file_of_one_kind_is_not_taken_for_the_other(here, capsys):
    for typed in ("found.npz", "found.npz:directions"):
        run(sample, f"a.safetensors --w {typed} --out x.png", code=2)
        assert "found.npz: holds directions, not ws — pass it as --directions" in capsys.readouterr().err
    run(sample, "a.safetensors --seeds 0-1 --save-w --out s")
    run(edit, "a.safetensors --directions s/w.npz --out d.npz", code=2)
    assert "w.npz: holds ws, not directions" in capsys.readouterr().err


def test_layers_are_not_ignored(here, capsys):
    run(edit, "a.safetensors --directions found.npz --layers 0-3 --out d.npz", code=2)
    assert "--layers goes with --find sefa and pca — leave --layers out" in capsys.readouterr().err
