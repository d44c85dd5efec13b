"""Shifts without stars: galaxies and nebulae, errors that hold, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, numbers, read
from scipy import ndimage
from snakedriz.verification import correlation

OPTIONS = numbers()["registration"]


def _nebula(shape, shift, seed):
    """Power-law structure (spectral index -3, as interstellar clouds have), moved by a Fourier phase."""
    rng = np.random.default_rng(seed)
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    k = np.hypot(ky, kx)
    k[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.normal(size=shape)) * k**-1.5
    moved = np.fft.irfft2(spectrum * np.exp(-2j * np.pi * (ky * shift[1] + kx * shift[0])), s=shape)
    return moved / moved.std()


def _measure(a, b):
    both = np.ones(a.shape, bool)
    return correlation.measure(b.astype(np.float32), a.astype(np.float32), both, OPTIONS)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.4, -0.3), (1.0, 0.0), (-7.0, 10.2)])
def test_nebula(shift):
    rng = np.random.default_rng(5)
    a, b = (_nebula((400, 400), s, 1) + rng.normal(0, 0.05, (400, 400)) for s in ((0, 0), shift))
    found = _measure(a, b)
    assert found.error.max() < 0.1
    assert found.shift == pytest.approx(shift, abs=4 * found.error.max() + 0.01)


def test_noise_and_blank_frames_have_no_shift():
    rng = np.random.default_rng(6)
    for _ in range(20):
        a, b = rng.normal(0, 1, (2, 300, 300))
        assert _measure(a, b) is None
        smooth = [ndimage.gaussian_filter(image, 3) for image in (a, b)]
        assert _measure(*smooth) is None
    assert _measure(np.zeros((300, 300)), np.zeros((300, 300))) is None


def test_unrelated_nebulae_have_no_shift():
    for seed in range(10):
        assert _measure(_nebula((300, 300), (0, 0), 2 * seed), _nebula((300, 300), (0, 0), 2 * seed + 1)) is None


def test_one_galaxy_alone_is_not_trusted():
    """A single object gives a peak, but nothing says how good it is."""
    rng = np.random.default_rng(7)
    a, b = rng.normal(0, 0.02, (2, 300, 300))
    y, x = np.mgrid[:300, :300]
    for image in (a, b):
        image += np.exp(-((x - 110) ** 2 + (y - 110) ** 2) / 32)
    assert _measure(a, b) is None


def test_errors_hold_for_galaxies(tmp_path):
    """Truth within the 68 % interval in 68 % of cases, within 95 % in 95 %."""
    from snakedriz.verification import frame_stars, registration

    inside, inside95, n = 0, 0, 0
    for seed in range(40):
        scene = Scene(shape=(360, 360), stars=0, galaxies=40, seed=300 + seed, jitter=0.0)
        frames = read(scene, tmp_path)
        row = registration.measure(frames, frame_stars.of_frames(frames, numbers()), numbers()).exposures[0]
        for axis in "xy":
            if (shift := getattr(row, f"d{axis}")) is not None:
                n += 1
                inside += abs(shift) < getattr(row, f"d{axis}_err")
                inside95 += abs(shift) < getattr(row, f"d{axis}_err95")
    assert n >= 65
    # 80 values: 3 sigma of the binomial are 0.16 at 0.683 and 0.07 at 0.95
    assert 0.53 < inside / n < 0.84
    assert inside95 / n > 0.88
