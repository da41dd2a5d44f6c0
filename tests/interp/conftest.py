"""Two models that blend."""

import pytest


@pytest.fixture
def base():
    from tests.tiny_models import tiny_model

    return tiny_model(1)


@pytest.fixture
def transfer():
    from tests.tiny_models import tiny_model

    return tiny_model(2)


@pytest.fixture(scope="module")
def pair():
    """Base and transfer of the goldens."""
    import convert
    from tests.golden_data import golden

    return tuple(convert.read(golden(f"gen/s09_{name}64.pkl"), networks=["G_ema"]) for name in ("base", "transfer"))
