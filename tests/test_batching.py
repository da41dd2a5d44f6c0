import pytest

from stylegan_jax import batching
from tests.tiny_models import tiny_model


def test_the_default_batch_depends_on_the_resolution_and_the_count_alone():
    config = tiny_model().config.generator
    assert batching.choose(config, 36).batch == batching.choose(config, 36, devices=1).batch == 16
    assert batching.choose(config, 3).batch == 4


@pytest.mark.parametrize(("gibibytes", "expected"), [(1, 32), (16, 64), (0.01, 1)])
def test_accelerators_take_the_batch_that_their_memory_holds(gibibytes, expected):
    class Accelerator:
        platform = "gpu"

        def memory_stats(self):
            return {"bytes_limit": int(gibibytes * 2**30)}

    config = tiny_model(img_resolution=256, channel_max=8).config.generator
    assert batching.choose(config, 1000, devices=[Accelerator()]).batch == expected
