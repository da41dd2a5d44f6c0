"""Encoders: the network, what a training does to it, its file, and answers that get no worse by asking again."""

import dataclasses
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stylegan_jax as sj
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.networks.layers import initial_weights
from stylegan_jax.projection import encoderfile
from stylegan_jax.projection.encode import encode
from stylegan_jax.projection.encoder import Encoder, EncoderConfig, as_seen, encoder, layout
from stylegan_jax.projection.jitter import jittered
from stylegan_jax.projection.latentspace import from_p_n, in_p_n, latent_space, widest
from stylegan_jax.projection.lessons import drawn_ws
from stylegan_jax.projection.schooling import Schooling, school
from stylegan_jax.sampler import sample
from stylegan_jax.storage import manifest, safetensors
from stylegan_jax.storage.shipped import shipped_encoders
from tests.projection.encoders import silent, untrained
from tests.tiny_models import tiny_model

KEY = manifest.ENCODER


@pytest.fixture(scope="module")
def model():
    return tiny_model(0)


@pytest.fixture(scope="module")
def space(model):
    return latent_space(model, samples=2000)


@pytest.fixture(scope="module")
def pictures(model):
    return np.concatenate(list(sample(model, range(5))))


def test_what_leaves_p_n_comes_from_it(model, space):
    places = np.random.RandomState(0).standard_normal((3, 2, 16)).astype(np.float32)
    whiten, unwhiten = widest(space, 16)
    ws = from_p_n(jnp.asarray(places), jnp.asarray(space.center), jnp.asarray(unwhiten))
    np.testing.assert_allclose(in_p_n(ws, jnp.asarray(space.center), jnp.asarray(whiten)), places, atol=2e-3)


def test_the_directions_of_an_encoder_are_those_in_which_w_varies_most(space):
    every, few = widest(space, 16)[1], widest(space, 4)[1]
    np.testing.assert_array_equal(every[:4], few)
    assert (np.diff(np.linalg.norm(every, axis=1)) <= 1e-5).all()


def test_before_any_lesson_an_encoder_answers_with_the_mean(model):
    config = EncoderConfig.for_generator(model.config.generator)
    weights = initial_weights(Encoder, config, jax.random.key(0))
    picture = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    places = jax.jit(lambda weights: encoder(config, weights)(picture, picture))(weights)
    assert places.shape == (2, 6, config.rank) and not np.asarray(places).any()


@pytest.mark.parametrize(("resolution", "channels"), [(16, 1), (64, 4), (256, 3), (1024, 3)])
def test_there_is_an_encoder_for_every_generator(resolution, channels):
    generator = GeneratorConfig(img_resolution=resolution, img_channels=channels, w_dim=96)
    config = EncoderConfig.for_generator(generator)
    weights = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in layout(config).items()}

    def answer(weights, images):
        network, seen = encoder(config, weights), as_seen(images)
        return network.ws(network(seen, seen))

    images = jax.ShapeDtypeStruct((2, resolution, resolution, channels), jnp.float32)
    assert jax.eval_shape(answer, weights, images).shape == (2, generator.num_ws, 96)


def test_the_shipped_pair_s_answers_in_the_space_of_its_model():
    shipped, base = encoderfile.load(shipped_encoders()[0]), sj.load("portraits", networks=["G_ema"])
    encoderfile.check_belongs(shipped, base, "portraits")
    own = latent_space(base)
    answers = np.random.RandomState(0).standard_normal((1, 4, shipped.config.rank)).astype(np.float32)
    ws = from_p_n(jnp.asarray(answers), *(jnp.asarray(shipped.weights[name]) for name in ("center", "unwhiten")))
    found = np.asarray(in_p_n(ws, jnp.asarray(own.center), jnp.asarray(own.whiten)))
    assert np.square(found).sum() == pytest.approx(np.square(answers).sum(), rel=0.05)


def test_the_shipped_pair_s_takes_no_more_than_three_megabytes():
    config = EncoderConfig.for_generator(GeneratorConfig(img_resolution=64, w_dim=128))
    assert 2 * sum(map(np.prod, layout(config).values())) < 2.9e6


def test_jitter_is_small_and_of_its_key(pictures):
    images, keys = jnp.asarray(pictures[:2] / 127.5 - 1, jnp.float32), jax.random.split(jax.random.key(0), 2)
    change = jax.jit(jittered)
    once = change(images, keys)
    far = np.abs(np.asarray(once - images)).mean((1, 2, 3))
    assert (far > 0).all() and (far < 0.5).all()
    other = change(images[::-1], keys[::-1])
    np.testing.assert_allclose(other[::-1], once, atol=1e-5)


def test_samples_to_learn_from_are_truncated_and_some_are_mixed(model, space):
    keys = jax.random.split(jax.random.key(0), 64)
    draw = jax.jit(lambda *given: drawn_ws(model.config.generator, *given))
    ws = np.asarray(draw(model.networks["G_ema"], space.mean, keys, np.zeros((64, 0), np.float32)))
    assert ws.shape == (64, 6, 16)
    mixed = (ws != ws[:, :1]).any((1, 2))
    assert 0.2 < mixed.mean() < 0.7
    assert np.sqrt(np.square(ws - space.mean).sum(2).mean()) < 0.9 * space.std


class Pictures:
    """Photographs as a data set gives them."""

    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def image(self, index):
        return self.pixels[index]


@pytest.mark.slow  # compiles for 14 seconds each
@pytest.mark.parametrize("with_photographs", [False, True])
def test_lessons_bring_what_the_model_makes_nearer_to_pictures(model, pictures, with_photographs):
    settings = Schooling(kimg=0.24, batch=4, rounds=2, rate=0.02, seed=1)
    photographs, start = Pictures(pictures) if with_photographs else None, silent(model)
    lessons = list(school(model, settings, photographs=photographs, start=start))
    assert lessons[-1].looks == 240 and lessons[-1].share == 1 and len(lessons) == 60
    assert lessons[-1].stats["rounds"].shape == (2,)
    before, after = (encode(model, pictures, each, rounds=1).losses for each in (start, lessons[-1].encoder()))
    assert after.mean() < 0.95 * before.mean()


def test_an_end_by_the_clock_comes_after_a_step_at_least_and_a_training_goes_on_from_a_file(model):
    settings = Schooling(kimg=1000, minutes=1e-9, batch=4, rounds=2)
    start = dataclasses.replace(silent(model), lineage={"looks": None})
    (lesson,) = school(model, settings, start=start, lineage={"made_by": "a test"})
    first = lesson.encoder()
    assert first.lineage["looks"] == 4 and first.lineage["made_by"] == "a test"
    many = 1 << 52  # far more than a seed holds
    (further,) = school(model, settings, start=dataclasses.replace(first, lineage={"looks": many}))
    second = further.encoder()
    assert second.lineage["looks"] == further.looks == many + 4
    moved = [np.abs(second.weights[name] - leaf).max() for name, leaf in first.weights.items()]
    assert 0 < max(moved) < 0.01


def test_what_cannot_be_learned_is_refused(model):
    with pytest.raises(InputError, match="16 pixels or more"):
        next(school(tiny_model(0, img_resolution=8), Schooling()))
    with pytest.raises(InputError, match="use --batch 9"):
        Schooling(batch=10, rounds=3).check()
    with pytest.raises(InputError, match="use a lower --lr"):
        for _ in school(model, Schooling(kimg=0.8, batch=4, rate=1e30), start=silent(model)):
            pass


# ---- the file ----


@pytest.fixture
def saved(model, tmp_path):
    return encoderfile.save(untrained(model), tmp_path / "e.safetensors")


def test_a_file_holds_what_was_saved_to_the_precision_of_float16(model, saved):
    before, after = untrained(model), encoderfile.load(saved)
    assert after.config == before.config and after.model_sha256 == before.model_sha256
    assert after.lineage == before.lineage and set(after.weights) == set(before.weights)
    for name, leaf in before.weights.items():
        np.testing.assert_array_equal(after.weights[name], leaf.astype(np.float16).astype(np.float32))
    encoderfile.check_belongs(after, model, saved)
    with pytest.raises(InputError, match="exists"):
        encoderfile.save(before, saved)


def test_an_encoder_of_another_model_is_refused(model, saved):
    with pytest.raises(InputError, match="belongs to another model"):
        encoderfile.check_belongs(encoderfile.load(saved), tiny_model(1), saved)
    odd = untrained(model)
    odd = dataclasses.replace(odd, config=dataclasses.replace(odd.config, num_ws=4))
    with pytest.raises(InputError, match="belongs to another model"):
        encoderfile.check_belongs(odd, model, saved)


def rewritten(path, change, resealed=True):
    """The file with another manifest, whose checksum is right if it is `resealed`."""
    header = safetensors.read_header(path)
    told = json.loads(header.metadata[KEY])
    change(told)
    if resealed:
        told.pop("crc32")
        told["crc32"] = manifest.own_crc32(told)
    leaves = safetensors.read(path, header, header.entries)
    with open(path, "wb") as file:
        safetensors.write(file, leaves, {KEY: json.dumps(told)})


CRAFTED = {
    "a wider network": (lambda told: told["config"].update(width=8192, most=8192), "holds other tensors"),
    "a huge field": (lambda told: told["config"].update(features=10**9), "features is 1000000000"),
    "no number": (lambda told: told["config"].update(rank="9"), "rank is '9'"),
    "an odd resolution": (lambda told: told["config"].update(resolution=48), "its configuration is damaged"),
    "a lacking field": (lambda told: told["config"].pop("num_ws"), "num_ws is missing"),
    "a further field": (lambda told: told["config"].update(extra=1), "extra is unknown"),
    "another checksum": (lambda told: told["tensors"].update(center=1), "checksums differ: center"),
    "a lineage that is no table": (lambda told: told.update(lineage=[1]), "lineage is"),
    **{
        f"looks that are {type(looks).__name__}, {looks}": (
            lambda told, looks=looks: told["lineage"].update(looks=looks),
            said,
        )
        for looks, said in (
            ("x", "lineage.looks is 'x'"),
            ([1], "lineage.looks is a list"),
            ({"a": 1}, "lineage.looks is a dict"),
            (-5, "lineage.looks is -5, not from 0"),
            (1e300, "lineage.looks is 1e.300"),
            (10**300, "lineage.looks is a huge number"),
        )
    },
    "a newer version": (lambda told: told.update(format_version=2), "newer than this program's 1"),
}


@pytest.mark.parametrize(("change", "said"), CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_file_is_refused(saved, change, said):
    rewritten(saved, change)
    with pytest.raises(InputError, match=said):
        encoderfile.load(saved)


def test_damage_is_noticed_wherever_it_is(saved):
    data = saved.read_bytes()
    for at in np.linspace(0, len(data) - 1, 60).astype(int):
        saved.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(InputError):
            encoderfile.load(saved)
    saved.write_bytes(data[:-9])
    with pytest.raises(InputError, match="damaged"):
        encoderfile.load(saved)
    saved.write_bytes(data)
    rewritten(saved, lambda told: told["lineage"].update(looks=7), resealed=False)
    with pytest.raises(InputError, match="its checksum differs"):
        encoderfile.load(saved)


def test_numbers_that_are_none_are_refused(model, tmp_path):
    bad = untrained(model)
    bad = dataclasses.replace(bad, weights={**bad.weights, "center": np.full(16, np.nan, np.float32)})
    with pytest.raises(InputError, match="no number: center"):
        encoderfile.load(encoderfile.save(bad, tmp_path / "nan.safetensors"))


# ---- asking it ----


def test_of_several_rounds_the_best_counts(model, pictures):
    trained = untrained(model)
    found = [encode(model, pictures, trained, rounds=rounds) for rounds in (1, 2, 4)]
    assert found[0].ws.shape == (5, 6, 16) and found[0].images.shape == pictures.shape
    for fewer, more in itertools.pairwise(found):
        assert (more.losses <= fewer.losses + 1e-5).all()
