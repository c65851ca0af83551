"""Frequency responses against NumPy's transform, against waves through the engine, and against theory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from cnnviz import kernels, ops

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 5), (11, 4)])
def test_the_gain_is_the_magnitude_of_numpys_transform(shape):
    kernel = RNG.standard_normal(shape)
    found = kernels.frequency_response(kernel, 65)
    # NumPy's has the frequencies k/64 from -32/64 up, and not +32/64, which is the same as -32/64.
    expected = np.abs(np.fft.fftshift(np.fft.fft2(kernel, (64, 64))))
    np.testing.assert_allclose(found.magnitude[:-1, :-1], expected, atol=1e-12)
    np.testing.assert_allclose(found.magnitude[-1], found.magnitude[0], atol=1e-12)
    assert found.uniform == pytest.approx(kernel.sum(), abs=1e-12)


@pytest.mark.parametrize("size", [3, 4])
def test_a_wave_comes_out_as_itself_times_the_response(size):
    kernel = RNG.standard_normal((size, size))
    found = kernels.frequency_response(kernel, 33)
    down, right = found.frequencies[20], found.frequencies[7]
    rows, cols = np.mgrid[0:12, 0:13]
    wave = np.exp(2j * np.pi * (down * rows + right * cols))
    answer = sum(
        unit * ops.conv2d(part, kernel[:, :, None, None]) for unit, part in ((1, wave.real), (1j, wave.imag))
    )
    # The answer of a window belongs to its middle, which for an even size lies between pixels.
    middle = (size - 1) / 2
    there = np.exp(2j * np.pi * (down * (rows + middle) + right * (cols + middle)))
    expected = found.values[20, 7] * there[: answer.shape[0], : answer.shape[1]]
    np.testing.assert_allclose(answer, expected, atol=1e-12)


def test_energy_is_kept():
    kernel = RNG.standard_normal((5, 3))
    found = kernels.frequency_response(kernel, 65)
    assert (found.magnitude[:-1, :-1] ** 2).mean() == pytest.approx((kernel**2).sum())


@pytest.mark.parametrize(
    ("kernel", "gain", "frequency", "angle"),
    [
        (kernels.box(5), 1, 0, None),
        (kernels.identity(3), 1, 0, None),
        (kernels.sobel("x"), 8, 0.25, 0),
        (kernels.sobel("y"), 8, 0.25, 90),
        (kernels.laplacian(), 8, np.sqrt(0.5), 45),
        (kernels.roberts("x"), 2, np.sqrt(0.125), 45),
        (np.zeros((3, 3)), 0, 0, None),
    ],
)
def test_the_wave_that_comes_out_largest(kernel, gain, frequency, angle):
    peak = kernels.frequency_response(kernel).peak
    assert peak.gain == pytest.approx(gain)
    assert peak.frequency == pytest.approx(frequency)
    assert peak.angle == (None if angle is None else pytest.approx(angle))


@pytest.mark.parametrize("angle", [0, 30, 60, 90, 120, 150])
def test_a_gabor_prefers_its_own_wave(angle):
    peak = kernels.frequency_response(kernels.gabor(11, angle, 4.0), 129).peak
    # A grid of frequencies 1/128 apart, and a window of eleven pixels, leave it so near.
    assert peak.angle == pytest.approx(angle, abs=3) or peak.angle == pytest.approx(angle - 180, abs=3)
    assert peak.frequency == pytest.approx(0.25, abs=0.015)


def test_scharrs_weights_are_the_sixteenths_of_the_least_error_of_direction():
    # Jähne, Scharr and Körkel, 1999: errors of the gradient's direction, weighted by cos^4 of half the
    # wave number. The smoothing is [a, 1 - 2a, a].
    radius, turn = np.meshgrid(np.linspace(0.01, np.pi, 80), np.linspace(0.01, np.pi / 4, 40))
    u, v = radius * np.cos(turn), radius * np.sin(turn)
    weight = radius * np.cos(radius / 2) ** 4

    def error(a: float) -> float:
        across = np.sin(u) * (1 - 2 * a + 2 * a * np.cos(v))
        down = np.sin(v) * (1 - 2 * a + 2 * a * np.cos(u))
        return float((weight * (np.arctan2(down, across) - turn) ** 2).sum())

    best = minimize_scalar(error, bounds=(0.05, 0.3), method="bounded").x
    assert round(16 * best) == 3
    np.testing.assert_array_equal(kernels.scharr("x")[:, 2], [3, 16 - 2 * 3, 3])
    # Sobel's smoothing turns the gradient farther off.
    assert error(3 / 16) < error(1 / 4)


@pytest.mark.parametrize("points", [0, 2, 64])
def test_points_have_a_middle(points):
    with pytest.raises(ValueError, match=f"points must be odd and at least 3, got {points}"):
        kernels.frequency_response(np.eye(3), points)
