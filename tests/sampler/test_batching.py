import pytest

from stylegan_jax.sampler import batching
from tests.tiny_models import tiny_model


def test_the_default_batch_depends_on_the_work_of_one_image_and_not_on_the_number_of_devices():
    small, large = (tiny_model(img_resolution=r, channel_max=c).config.generator for r, c in ((16, 8), (64, 512)))
    assert [batching.choose(small, devices=n).batch for n in (1, 2, 8)] == [4, 4, 4]
    assert batching.choose(large).batch == 1


@pytest.mark.parametrize(("gibibytes", "expected"), [(1, 32), (16, 64), (0.01, 1)])
def test_accelerators_take_the_batch_that_their_memory_holds(gibibytes, expected):
    class Accelerator:
        platform = "gpu"

        def memory_stats(self):
            return {"bytes_limit": int(gibibytes * 2**30)}

    config = tiny_model(img_resolution=256, channel_max=8).config.generator
    assert batching.choose(config, devices=[Accelerator()]).batch == expected
