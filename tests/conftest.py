"""Eight CPU devices, a cache of our own, and strict dtypes where the array code is tested.

JAX's own precision of products stays as users of the library have it: tests see what the programs ask for.
"""

import os
from collections import Counter

import pytest

DEVICES = "--xla_force_host_platform_device_count=8"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DEVICES}".strip()

os.environ["XDG_CACHE_HOME"] = os.path.join(os.path.dirname(os.path.dirname(__file__)), ".pytest_cache")

import jax  # noqa: E402

STRICT_DTYPES = {
    "test_ops",
    "test_layers",
    "test_generator",
    "test_synthesis",
    "test_discriminator",
    "test_big",
    "test_precision",
    "test_latents",
    "test_sampler",
    "test_arithmetic",
    "test_decisions",
    "test_mix",
    "test_pinkney",
    "test_schedules",
}

LONG_COMPILES = {
    "test_train",
    "test_resident",
    "test_losses",
    "test_encoder",
    "test_encode_command",
    "test_surgery",
    "test_perceptual",
}
"""Double gradients compile for far longer than they run, so here LLVM optimises little: the same arithmetic."""


@pytest.fixture(autouse=True, scope="module")
def quick_compilation(request):
    """Applies to the modules of LONG_COMPILES."""
    jax.config.update("jax_disable_most_optimizations", request.module.__name__.rsplit(".", 1)[-1] in LONG_COMPILES)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(autouse=True)
def strict_dtype_promotion(request):
    """The array code mixes no dtypes by accident; optimisers are not clean under this rule."""
    strict = request.module.__name__.rsplit(".", 1)[-1] in STRICT_DTYPES
    with jax.numpy_dtype_promotion("strict" if strict else "standard"):
        yield


@pytest.fixture(autouse=True)
def remedies_provoked(request):
    """A test that is named as the one that provokes a remedy does so, at its place in the code."""
    from tests.commands.remedies.elsewhere import ELSEWHERE

    wanted = [key for key, test in ELSEWHERE.items() if test == request.node.nodeid]
    if not wanted:
        yield
        return
    from tests.commands.remedies.places import keys
    from tests.commands.remedies.recording import is_hit, recorded

    with recorded() as made:
        yield
    assert [key for key in wanted if not is_hit(keys()[key], made)] == []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with two models of 16×16, `saved_models.BASE` and `TRANSFER`."""
    from tests.saved_models import BASE, TRANSFER, save_models

    monkeypatch.chdir(tmp_path)
    save_models(BASE, TRANSFER)
    return tmp_path


def pytest_terminal_summary(terminalreporter):
    """Says once for each reason what was skipped."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
