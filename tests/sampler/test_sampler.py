import jax
import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.sampler import batching, programs, run
from stylegan_jax.sampler.latents import mix_styles, random_classes
from tests.golden_data import golden, load_npz
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def images(model, seeds, **options):
    return np.concatenate(list(run.sample(model, seeds, **options)))


@pytest.fixture(scope="module")
def reference(model):
    return {noise: images(model, range(11), batch=2, devices=1, noise=noise) for noise in ("const", "random", "none")}


@pytest.mark.parametrize(
    ("noise", "devices", "parallel"),
    [
        ("const", 2, "shard_map"),
        ("const", 8, "shard_map"),
        ("const", 1, "pmap"),
        ("const", 8, "pmap"),
        ("random", 8, "shard_map"),
        ("random", 2, "pmap"),
    ],
)
def test_images_are_the_same_on_any_number_of_devices(model, reference, devices, parallel, noise):
    found = images(model, range(11), batch=2, devices=devices, parallel=parallel, noise=noise)
    np.testing.assert_array_equal(found, reference[noise])


def test_the_three_noise_modes_differ(reference):
    assert (reference["const"] != reference["random"]).any()
    assert (reference["const"] != reference["none"]).any()


def test_the_last_batch_holds_only_the_seeds_that_are_left(model):
    sizes = [len(batch) for batch in run.sample(model, range(7), batch=2, devices=2)]
    assert sizes == [4, 3]


def test_images_follow_the_order_of_the_seeds(model, reference):
    found = images(model, [10, 3, 3], batch=2, devices=1)
    np.testing.assert_array_equal(found, reference["const"][[10, 3, 3]])


def test_random_noise_belongs_to_the_seed(model):
    alone = images(model, [5], batch=2, devices=1, noise="random")
    among = images(model, [4, 5], batch=2, devices=1, noise="random")
    np.testing.assert_array_equal(alone[0], among[1])


def test_no_seeds_yield_no_batches(model):
    assert list(run.sample(model, [])) == []


def test_two_runs_compile_once(model):
    images(model, range(3), batch=2, devices=1)
    how = batching.choose(model.config.generator, batch=2, devices=1)
    program = programs.synthesis_program(model.config.generator, how)
    before = program._cache_size()
    images(model, range(8, 15), batch=2, devices=1, truncation_psi=0.5)
    assert program._cache_size() == before


def test_ws_of_seeds_give_the_images_of_seeds(model, reference):
    ws = run.map_seeds(model, range(11), batch=2, devices=2)
    assert ws.shape == (11, model.config.generator.num_ws, model.config.generator.w_dim)
    found = np.concatenate(list(run.sample_ws(model, ws, batch=2, devices=2)))
    np.testing.assert_array_equal(found, reference["const"])


def test_a_conditional_model_needs_a_class():
    conditional = tiny_model(c_dim=3)
    with pytest.raises(InputError, match="from 0 to 2"):
        images(conditional, [0])
    assert (images(conditional, [0], class_idx=0) != images(conditional, [0], class_idx=2)).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 9}, "9 devices asked for, 8 present"),
        ({"devices": 0}, "0 devices"),
        ({"batch": 0}, "batch 0"),
        ({"truncation_psi": float("nan")}, "psi nan"),
    ],
)
def test_impossible_options_are_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        images(model, [0], **options)


def test_truncation_without_w_avg_is_refused():
    with pytest.raises(InputError, match="no w_avg"):
        images(tiny_model(w_avg_beta=None), [0], truncation_psi=0.7)


def test_ws_of_another_model_are_refused(model):
    with pytest.raises(InputError, match=r"takes \[n, 6, 16\]"):
        list(run.sample_ws(model, np.zeros((1, 4, 16), np.float32)))


def test_a_model_without_g_ema_is_refused(model):
    bare = type(model)(model.config, {"G": model.networks["G_ema"]}, {})
    with pytest.raises(InputError, match="no G_ema"):
        list(run.sample(bare, [0]))


@pytest.fixture(scope="module")
def official():
    from convert import read

    return read(golden("gen/s02_auto64.pkl"), networks=["G_ema"])


def test_pixels_equal_the_official_ones(official):
    expected = load_npz("misc/seeds_mixing.npz")["gen_uint8_psi07"]
    error = np.abs(images(official, [0, 1, 35], truncation_psi=0.7).astype(int) - expected)
    assert error.max() <= 1
    assert (error > 0).mean() <= 1e-3


def test_style_mixing_equals_the_official_grid(official):
    stored = load_npz("misc/seeds_mixing.npz")
    seeds = [*stored["mix_rows"].tolist(), *stored["mix_cols"].tolist()]
    ws = run.map_seeds(official, seeds, truncation_psi=float(stored["mix_psi"]))
    mixed = mix_styles(ws[:2], ws[2:], stored["mix_styles"].tolist())
    found = np.concatenate(list(run.sample_ws(official, mixed.reshape(4, *mixed.shape[2:]))))
    names = [f"mix_r{row}_c{column}" for row in stored["mix_rows"] for column in stored["mix_cols"]]
    expected = np.concatenate([stored[name] for name in names]).transpose(0, 2, 3, 1)
    expected = np.clip(expected * 127.5 + 128, 0, 255).astype(np.uint8)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_synthesis_on_many_devices_needs_no_communication(model):
    how = batching.choose(model.config.generator, batch=1)
    assert len(how.devices) == len(jax.devices()) == 8
    place = programs.Placement(how)
    weights = place.replicate(model.networks["G_ema"])
    ws = place.split(np.zeros((8, 6, 16), np.float32))
    program = programs.synthesis_program(model.config.generator, how)
    text = program.lower(weights, ws, place.split(np.zeros(8, np.uint32))).compile().as_text()
    assert not any(word in text for word in ("all-gather", "all-reduce", "collective-permute", "all-to-all"))


@pytest.mark.parametrize("noise", ["const", "random"])
@pytest.mark.parametrize("plan", ["auto", "prepared"])
def test_the_image_of_a_seed_is_the_same_in_every_job(model, plan, noise):
    def pixels(seeds, **options):
        return images(model, seeds, truncation_psi=0.7, noise=noise, plan=plan, **options)

    every = pixels(range(11), devices=1)
    np.testing.assert_array_equal(pixels(np.arange(11), devices=1), every)
    np.testing.assert_array_equal(pixels(iter(range(11)), devices=3), every)
    np.testing.assert_array_equal(pixels([10, 3, 3], devices=1), every[[10, 3, 3]])
    for seed in (0, 6):
        np.testing.assert_array_equal(pixels([seed], devices=1)[0], every[seed])


def test_seeds_are_drawn_as_they_are_needed(model, reference):
    drawn = []
    batches = run.sample(model, (drawn.append(seed) or seed for seed in range(11)), batch=2, devices=1)
    first = next(batches)
    assert len(drawn) <= 4
    np.testing.assert_array_equal(np.concatenate([first, *batches]), reference["const"])


def test_random_classes_belong_to_the_seeds():
    conditional = tiny_model(c_dim=3)
    classes = random_classes(range(5), 3)
    assert len(set(classes)) > 1
    found = images(conditional, range(5), batch=2, devices=1, class_idx="random")
    for seed, class_idx in enumerate(classes):
        alone = images(conditional, [seed], batch=2, devices=1, class_idx=class_idx)
        np.testing.assert_array_equal(found[seed], alone[0])


def test_the_ws_may_come_from_another_model(model):
    other = tiny_model(1)
    ws = run.map_seeds(other, range(3), batch=2, devices=1, truncation_psi=0.5)
    expected = np.concatenate(list(run.sample_ws(model, ws, batch=2, devices=1)))
    found = images(model, range(3), batch=2, devices=1, truncation_psi=0.5, mapping=other)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match="one resolution and w_dim"):
        images(tiny_model(img_resolution=8), [0], mapping=other)
