"""rosinality's names for the tensors of StyleGAN2, used in both directions."""

from collections.abc import Iterator

from convert.translation import BATCHED, CHANNELS, IMAGE, SAME, SCALAR, Pair

_DEEPEST_MAPPING = 64


def generator_pairs(resolution: int) -> Iterator[Pair]:
    """Every tensor of a generator up to `resolution`."""
    for i in range(_DEEPEST_MAPPING):
        yield Pair(f"style.{i + 1}.weight", f"mapping.fc{i}.weight")
        yield Pair(f"style.{i + 1}.bias", f"mapping.fc{i}.bias")
    yield Pair("input.input", "synthesis.b4.const", BATCHED)
    yield from _convolution("conv1", "synthesis.b4.conv1", 0)
    yield from _torgb("to_rgb1", "synthesis.b4.torgb")
    for log in range(3, resolution.bit_length()):
        block, first = f"synthesis.b{1 << log}", 2 * (log - 3)
        yield from _convolution(f"convs.{first}", f"{block}.conv0", first + 1)
        yield from _convolution(f"convs.{first + 1}", f"{block}.conv1", first + 2)
        yield from _torgb(f"to_rgbs.{log - 3}", f"{block}.torgb")


def _convolution(foreign: str, official: str, noise: int) -> Iterator[Pair]:
    yield Pair(f"{foreign}.conv.weight", f"{official}.weight", BATCHED)
    yield Pair(f"{foreign}.conv.modulation.weight", f"{official}.affine.weight")
    yield Pair(f"{foreign}.conv.modulation.bias", f"{official}.affine.bias")
    yield Pair(f"{foreign}.noise.weight", f"{official}.noise_strength", SCALAR)
    yield Pair(f"{foreign}.activate.bias", f"{official}.bias")
    yield Pair(f"noises.noise_{noise}", f"{official}.noise_const", IMAGE)


def _torgb(foreign: str, official: str) -> Iterator[Pair]:
    yield Pair(f"{foreign}.conv.weight", f"{official}.weight", BATCHED)
    yield Pair(f"{foreign}.conv.modulation.weight", f"{official}.affine.weight")
    yield Pair(f"{foreign}.conv.modulation.bias", f"{official}.affine.bias")
    yield Pair(f"{foreign}.bias", f"{official}.bias", CHANNELS)


def generator_kernels(resolution: int) -> Iterator[str]:
    """Its blur kernels, which are buffers of a fixed value."""
    for i in range(resolution.bit_length() - 3):
        yield f"convs.{2 * i}.conv.blur.kernel"
        yield f"to_rgbs.{i}.upsample.kernel"


def discriminator_pairs(resolution: int) -> Iterator[Pair]:
    """Every tensor of a discriminator for images of `resolution`."""
    yield Pair("convs.0.0.weight", f"b{resolution}.fromrgb.weight")
    yield Pair("convs.0.1.bias", f"b{resolution}.fromrgb.bias")
    for i in range(1, resolution.bit_length() - 2):
        block = f"b{resolution >> (i - 1)}"
        for foreign, official in (("conv1.0", "conv0"), ("conv2.1", "conv1"), ("skip.1", "skip")):
            yield Pair(f"convs.{i}.{foreign}.weight", f"{block}.{official}.weight", SAME)
        yield Pair(f"convs.{i}.conv1.1.bias", f"{block}.conv0.bias")
        yield Pair(f"convs.{i}.conv2.2.bias", f"{block}.conv1.bias")
    yield Pair("final_conv.0.weight", "b4.conv.weight")
    yield Pair("final_conv.1.bias", "b4.conv.bias")
    for i, official in enumerate(("b4.fc", "b4.out")):
        yield Pair(f"final_linear.{i}.weight", f"{official}.weight")
        yield Pair(f"final_linear.{i}.bias", f"{official}.bias")


def discriminator_kernels(resolution: int) -> Iterator[str]:
    """Its blur kernels, which are buffers of a fixed value."""
    for i in range(1, resolution.bit_length() - 2):
        yield f"convs.{i}.conv2.0.kernel"
        yield f"convs.{i}.skip.0.kernel"
