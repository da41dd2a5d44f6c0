import numpy as np
import pytest

from tests import golden_data

GOLD = "gen/s03_cond32.gold.npz"


def test_a_key_with_measured_noise_is_held_to_ten_times_it_and_never_below_1e_6():
    noise = golden_data.manifest_entry(GOLD)["fp32_noise"]
    stored = golden_data.load_npz(GOLD)
    assert golden_data.tolerance(GOLD, "img_const", stored["img_const"]) == 10 * noise["img_const"]["max_abs"]
    assert golden_data.tolerance(GOLD, "ws_psi0", stored["ws_psi0"]) == 1e-6


def test_a_key_without_noise_is_held_to_the_worst_of_its_file_and_else_to_1e_4_of_its_rms():
    ones, worst = np.full(5, 2.0), golden_data.manifest_entry(GOLD)["fp32_noise_worst"]["max_abs_over_rms"]
    assert golden_data.tolerance(GOLD, "no_such_key", ones) == pytest.approx(20 * worst)
    assert golden_data.tolerance("gen/s05_resnet64.layers.npz", "b4.conv1", ones) == pytest.approx(2e-4)


def test_gradients_are_held_to_their_own_rms():
    assert golden_data.tolerance(GOLD, "Gmain.grad64.b4.const", np.full(3, 2.0)) == pytest.approx(6e-4)
    assert golden_data.tolerance(GOLD, "Gmain.grad64.b4.const", np.full(3, 1e-6)) == pytest.approx(3e-9)


def test_assert_close_names_file_key_error_and_tolerance():
    stored = golden_data.load_npz(GOLD)
    golden_data.assert_close(stored["img_const"], GOLD, "img_const")
    with pytest.raises(AssertionError, match=r"gen/s03_cond32.gold.npz\[img_const\]: max error 0.1 exceeds \S+e-0"):
        golden_data.assert_close(stored["img_const"] + 0.1, GOLD, "img_const", stored)
