"""The reflectance of tissue: limits worked by hand, and published figures."""

import pytest
import torch
from torch import Tensor

from cinn_app.systems.inverse_problems.problems import tissue


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def layered(absorption: float, below: float, scattering: float, scattering_below: float, thickness: float) -> float:
    return float(tissue.reflectance(*map(one, (absorption, below, scattering, scattering_below, thickness))))


def flock(absorption: float, scattering: float, reflection: float = tissue.REFLECTION) -> float:
    """One thick layer (Flock et al. 1989): R = a' / (1 + 2k (1 - a') + (1 + 2k/3) sqrt(3 (1 - a')))."""
    albedo = scattering / (absorption + scattering)
    k = (1 + reflection) / (1 - reflection)
    return albedo / (1 + 2 * k * (1 - albedo) + (1 + 2 * k / 3) * (3 * (1 - albedo)) ** 0.5)


def test_equal_layers_are_one() -> None:
    # In the third case diffuse light decays as fast as the beam, where the terms of the solution are infinite.
    for absorption, scattering in ((0.1, 20.0), (5.0, 20.0), (10.0, 20.0), (30.0, 20.0)):
        for thickness in (0.01, 0.1, 1.0):
            found = layered(absorption, absorption, scattering, scattering, thickness)
            assert found == pytest.approx(flock(absorption, scattering), rel=1e-4)


def test_a_thin_layer_is_the_lower_one_and_a_thick_layer_the_upper() -> None:
    assert layered(1, 5, 10, 30, 1e-9) == pytest.approx(flock(5, 30), rel=1e-5)
    assert layered(1, 5, 10, 30, 20) == pytest.approx(flock(1, 10), rel=1e-5)
    assert flock(5, 30) < layered(1, 5, 30, 30, 0.05) < flock(1, 30)


def test_without_absorption_all_light_returns() -> None:
    assert layered(1e-12, 1e-12, 10, 30, 0.1) == pytest.approx(1, abs=1e-4)


def test_agrees_with_a_published_exact_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Giovanelli (1955): 0.2600 with gloss, for n = 1.5, albedo 0.9 and isotropic scattering; the gloss is 4%."""
    index = 1.5
    reflection = -1.440 / index**2 + 0.710 / index + 0.668 + 0.0636 * index
    monkeypatch.setattr(tissue, "REFLECTION", reflection)
    assert 0.04 + 0.96 * layered(10, 10, 90, 90, 1) == pytest.approx(0.2600, rel=0.04)


def test_without_blood_no_band_of_haemoglobin_is_left() -> None:
    bloodless = torch.tensor([[0.0, 0, 0, 1, 20, 0], [100.0, 0, 0, 1, 20, 0]])
    without, oxygenated = tissue.spectrum(bloodless)
    torch.testing.assert_close(without, oxygenated)
    assert (without.diff() > 0).all(), "the baseline falls with the wavelength, without any band"


def test_haemoglobin_has_its_bands() -> None:
    deoxygenated, oxygenated = tissue.spectrum(torch.tensor([[0.0, 5, 5, 1, 20, 1], [100.0, 5, 5, 1, 20, 1]]))
    at = {int(nm): number for number, nm in enumerate(tissue.WAVELENGTHS)}
    assert oxygenated[at[540]] < oxygenated[at[560]] > oxygenated[at[576]], "two bands"
    assert deoxygenated[at[540]] > deoxygenated[at[556]] < deoxygenated[at[576]], "one band between them"
    assert oxygenated[at[500]] == pytest.approx(float(deoxygenated[at[500]]), rel=0.01), "an isosbestic point"
    assert oxygenated[at[660]] > 1.2 * deoxygenated[at[660]], "blood with oxygen is bright red"


def test_camera_has_the_stated_noise() -> None:
    x = torch.tensor([[70.0, 3, 3, 0.5, 20, 1]]).expand(20_000, 6)
    measured = tissue.simulate(x, torch.Generator().manual_seed(0)) / 100
    level = measured.mean(0)
    torch.testing.assert_close(measured.std(0), (level / 10_000 + 0.002**2).sqrt(), rtol=0.03, atol=0)
    assert measured.dtype == torch.float32
