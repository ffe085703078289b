"""The charts' colours are told apart by every kind of colour vision."""

import itertools

import numpy as np
import pytest
from plotly.colors import hex_to_rgb, sample_colorscale, unlabel_rgb

from tli_core.reports.figure_style import DIVERGING, SERIES

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SEEN_WITH = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "full colour vision": np.eye(3),
}
# sRGB (D65) to XYZ, over the white point.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)
APART = 15
"""CIE76 distance: about 2 is just seen side by side; lines lie apart and also differ in dash and marker."""


def lab(colour: str, seen_with: np.ndarray) -> np.ndarray:
    """CIELAB of a colour such as #1E88D6 or rgb(30, 136, 214) as somebody sees it: (3,)."""
    srgb = np.array(hex_to_rgb(colour) if colour.startswith("#") else unlabel_rgb(colour)) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.asarray(seen_with) @ linear, 0, 1) / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    srgb = np.array(hex_to_rgb(colour)) / 255
    return float(TO_XYZ[1] @ np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4))


@pytest.mark.parametrize("vision", list(SEEN_WITH))
def test_no_two_hues_of_a_chart_look_alike(vision):
    seen = [lab(colour, SEEN_WITH[vision]) for colour, _ in SERIES]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > APART
    assert len({marker for _, marker in SERIES}) == len(SERIES)


@pytest.mark.parametrize("page", ["#FFFFFF", "#18181B"])
def test_lines_stand_out_from_light_and_dark_pages(page):
    """By 3 to 1, as WCAG 1.4.11 asks of graphics."""
    for colour, _ in SERIES:
        dark, light = sorted(luminance(of) for of in (colour, page))
        assert (light + 0.05) / (dark + 0.05) >= 3


@pytest.mark.parametrize("vision", list(SEEN_WITH))
def test_above_and_below_wrong_pairs_look_unlike_in_the_heat_map(vision):
    below, above = (
        [
            lab(colour, SEEN_WITH[vision])
            for colour in sample_colorscale(DIVERGING, 0.5 + side * np.linspace(0.15, 0.5, 8))
        ]
        for side in (-1, 1)
    )
    assert min(np.linalg.norm(a - b) for a, b in itertools.product(below, above)) > APART
