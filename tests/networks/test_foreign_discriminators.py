"""Discriminators that came from TensorFlow and rosinality files score as their own programs do."""

import numpy as np
import pytest

import convert
from stylegan_jax.networks.discriminator import discriminator
from tests.golden_data import assert_close, golden, load_npz
from tests.golden_networks import compiled, nhwc

TENSORFLOW = ("s10_tf_ada64", "s11_tf_sg2_32")
ROSINALITY = ("s12_ros_conv32", "s13_ros_train64")


def logits(path, images):
    found = convert.read(golden(path), networks=["D"])
    config = found.config.discriminator
    assert config is not None
    return compiled(lambda weights, img: discriminator(config, weights)(img))(found.networks["D"], nhwc(images))


@pytest.mark.parametrize("name", TENSORFLOW)
def test_a_tensorflow_discriminator_scores_as_after_the_official_conversion(name, n=8):
    file = f"disc/{name}.gold.npz"
    stored = load_npz(file)
    assert_close(logits(f"tf/{name}.pkl", stored["img"][:n].astype(np.float32)), file, f"logits_n{n}", stored)


@pytest.mark.parametrize("name", ROSINALITY)
def test_a_rosinality_discriminator_scores_as_in_its_own_program(name, n=8):
    file = f"rosinality/{name}.gold.npz"
    stored = load_npz(file)
    images = stored["d_img"][:n].astype(np.float32)
    assert_close(logits(f"rosinality/{name}.pt", images), file, f"d_logits_n{n}", stored)
