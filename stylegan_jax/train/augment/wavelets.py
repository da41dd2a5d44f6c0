"""The orthogonal wavelet filters of augmentation: sym6 for geometry, a sym2 filter bank for image filtering."""

import numpy as np

# Daubechies' least asymmetric scaling filters of 2 and 6 vanishing moments (Ten Lectures on Wavelets, chapter 6);
# the tests check the equations that define them.
SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])
SYM6 = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ]
)


def filter_bank(levels: int = 4) -> np.ndarray:
    """Symmetric filters `[levels k]` that split a signal into octaves, lowest first, and add up to a unit impulse."""
    highpass = SYM2 * (-1) ** np.arange(SYM2.size)
    low, high = (np.convolve(f, f[::-1]) / 2 for f in (SYM2, highpass))
    bank = np.eye(levels, 1)
    for level in range(1, levels):
        stretched = np.zeros((levels, 2 * bank.shape[1] - 1))
        stretched[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in stretched])
        middle = (bank.shape[1] - high.size) // 2
        bank[level, middle : middle + high.size] += high
    return bank
