r"""Tissue optics: how much oxygen is in the blood of a tissue that a multispectral camera sees?

Two layers with blood, of which the lower one is thick, are lit evenly from above. The diffuse reflectance follows from
the diffusion equation, solved in closed form. In layer :math:`i`, with the absorption coefficient :math:`\mu_a`, the
reduced scattering coefficient :math:`\mu_s'` and :math:`\mu_t' = \mu_a + \mu_s'`,

.. math:: -\frac{1}{3 \mu_t'} \phi'' + \mu_a \phi = \mu_s' E(z), \qquad E' = -\mu_t' E, \quad E(0) = 1,

with :math:`\phi` and its flux continuous between the layers, and :math:`\phi = 2 k \phi' / (3 \mu_t')` at the surface,
where :math:`k = (1 + r) / (1 - r)` accounts for the internal reflection :math:`r`. Then :math:`R = \phi(0) / 2k`. For
two equal layers this is the formula of Flock et al. (1989). Lengths are in cm. Sources of the constants:

- Absorption of haemoglobin: the molar extinction coefficients that S. Prahl compiled from data of W. B. Gratzer and
  N. Kollias (omlc.org/spectra/hemoglobin/summary.html), every 4 nm; :math:`\mu_a = 2.303\, \varepsilon c / 64500`,
  with his typical 150 g of haemoglobin per litre of blood.
- Absorption without blood: S. L. Jacques's baseline of skin, ``0.244 + 85.3 exp(-(nm - 154) / 66.2)`` per cm ("Skin
  optics", OMLC News, 1998). For other tissue an approximation.
- Scattering: :math:`\mu_s' = a (\lambda / 500\,nm)^{-b}`, a and b in the ranges of Jacques (Phys. Med. Biol. 58, 2013).
- Refractive index: 1.4, a usual value of soft tissue; r after Egan and Hilgeman's fit, as in Groenhuis et al. (1983).
- The camera and its noise are no particular product: eight Gaussian bands of 20 nm, 10,000 electrons per pixel for a
  white surface, and a read-out noise of 0.2% of that. The priors are uniform in ranges that we chose.

Simplified: diffusion theory, which against a Monte Carlo simulation of isotropic scattering reflects up to 2% (of its
value) too much where absorption is a ninth of scattering, 6% at a quarter, and 14% where they are equal, as in the blue
with much blood. Both layers share oxygenation and scattering. Blood is spread evenly, not in vessels. There is no
melanin, bile, fat or water, and no gloss.
"""

import torch
from torch import Generator, Tensor

names = (
    "oxygenation",
    "blood volume above",
    "blood volume below",
    "thickness of the layer",
    "scattering at 500 nm",
    "scattering power",
)
units = ("%", "%", "%", "mm", "1/cm", "")
ranges = ((0.0, 100.0), (0.2, 10.0), (0.2, 10.0), (0.1, 2.0), (10.0, 50.0), (0.5, 2.5))

#: Centres of the camera's bands, and their full width at half maximum, in nm.
BANDS, WIDTH = (480, 500, 525, 545, 560, 575, 600, 650), 20
measurement_names = tuple(f"reflectance at {band} nm" for band in BANDS)
measurement_units = ("%",) * len(BANDS)

#: Electrons per pixel for a white surface, and read-out noise as a share of them.
ELECTRONS, READ_OUT = 10_000, 0.002
#: Haemoglobin in blood, in g per litre and g per mole.
BLOOD, MOLAR_MASS = 150.0, 64_500.0
#: Refractive index, and the diffuse internal reflection that belongs to it.
INDEX = 1.4
REFLECTION = -1.440 / INDEX**2 + 0.710 / INDEX + 0.668 + 0.0636 * INDEX

#: Wavelengths in nm, and molar extinction coefficients of haemoglobin with and without oxygen, in 1/cm per mole/litre.
HAEMOGLOBIN = """
460    44480  23388.8   532    43876    40584   604     2128  12567.6
464  39807.2  19260.8   536    49752    43592   608   1647.6  10477.6
468  34870.8  17025.6   540    53236    46592   612   1364.4   8591.2
472    31620    15310   544    52096    49708   616     1110   7344.8
476  28850.8  14792.8   548    46660    52496   620      942   6509.6
480  26629.2    14550   552  39675.2    54080   624      774   5906.8
484  25180.4  15212.4   556  34476.8    54540   628    658.8   5366.8
488  24174.8    15898   560  32613.2    53788   632    561.2   4930.8
492  23086.8  17469.6   564  33915.6    50572   636    478.8   4602.4
496  21850.4  19041.2   568    40172    46948   640      442   4345.2
500  20932.8    20862   572    49172    43340   644    405.2   4088.4
504    20418  22803.6   576    55540    40092   648    379.2   3857.6
508    19996  24745.2   580    50104    37020   652    356.8  3642.64
512  20150.4  26936.8   584  34639.6  34332.8   656    335.2  3427.68
516  21001.6  29263.2   588  19763.2  31075.2   660    319.6  3226.56
520  24202.4  31589.6   592  10468.4    25470   664    308.4  3053.96
524  29269.2  34397.6   596   5683.6    19800   668      298   2881.4
528    35990    37490   600     3200  14677.2   672      290  2708.84
"""
_NUMBERS = torch.tensor([float(number) for number in HAEMOGLOBIN.split()], dtype=torch.float64).view(-1, 3)
WAVELENGTHS, OXYGENATED, DEOXYGENATED = _NUMBERS[_NUMBERS[:, 0].argsort()].unbind(1)


def prior(count: int, generator: Generator) -> Tensor:
    """Draw tissues, uniformly in :data:`ranges`, ``(count, 6)``."""
    low, high = torch.tensor(ranges).unbind(1)
    return low + (high - low) * torch.rand(count, len(ranges), generator=generator)


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Measure the reflectance in each band, in percent of a white surface, ``(count, 8)``."""
    measured = spectrum(x) @ _sensitivities()
    noise = torch.randn(measured.shape, generator=generator, dtype=measured.dtype)
    deviation = (measured / ELECTRONS + READ_OUT**2).sqrt()
    return (100 * (measured + deviation * noise)).float()


def spectrum(x: Tensor) -> Tensor:
    """Return the diffuse reflectance, 0 to 1, at each of the ``WAVELENGTHS``, ``(count, 54)``, float64."""
    oxygenation, upper, lower, thickness, amplitude, power = x.double()[:, :, None].unbind(1)
    extinction = (oxygenation * OXYGENATED + (100 - oxygenation) * DEOXYGENATED) / 100
    blood = 2.303 * extinction * BLOOD / MOLAR_MASS
    baseline = 0.244 + 85.3 * (-(WAVELENGTHS - 154) / 66.2).exp()
    scattering = amplitude * (WAVELENGTHS / 500) ** -power
    absorption = [volume / 100 * blood + baseline for volume in (upper, lower)]
    return reflectance(absorption[0], absorption[1], scattering, scattering, thickness / 10)


def reflectance(
    absorption: Tensor, absorption_below: Tensor, scattering: Tensor, scattering_below: Tensor, thickness: Tensor
) -> Tensor:
    r"""Return the diffuse reflectance of a layer on a thick one, from the equations above.

    The fluence is :math:`A e^{-\kappa z} + B e^{-\kappa (d - z)} + C e^{-\mu_t' z}` in the upper layer, with
    :math:`\kappa^2 = 3 \mu_a \mu_t'`. Below, only the decaying terms remain.

    Args:
        absorption, absorption_below: :math:`\mu_a` of the layers, positive, in 1/cm.
        scattering, scattering_below: :math:`\mu_s'`, positive, in 1/cm.
        thickness: d of the upper layer, in cm.

    Returns:
        The share of light that returns, 0 to 1, in the broadcast shape of the arguments.
    """
    total, decay, slope, source = _layer(absorption, scattering)
    _, _, slope_below, source_below = _layer(absorption_below, scattering_below)
    k = (1 + REFLECTION) / (1 - REFLECTION)
    across, light = (-decay * thickness).exp(), (-total * thickness).exp()
    # A p + B across q = s at the surface, A across m + B n = t between the layers.
    p, q, s = 1 + 2 * k * slope, 1 - 2 * k * slope, -source * (1 + 2 * k / 3)
    m, n, t = slope_below - slope, slope_below + slope, (slope_below - 1 / 3) * light * (source_below - source)
    determinant = p * n - across**2 * q * m
    a = (s * n - across * q * t) / determinant
    b = (p * t - across * m * s) / determinant
    return (a + b * across + source) / (2 * k)


def _layer(absorption: Tensor, scattering: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a layer's total attenuation, decay of diffuse light, decay times diffusion coefficient, and source C."""
    total = absorption + scattering
    # Where diffuse light decays as fast as the beam, C is infinite and cancels: step aside by a millionth.
    gap = absorption - total / 3
    gap = torch.where(gap.abs() < 1e-6 * total, 1e-6 * total, gap)
    absorption = gap + total / 3
    return total, (3 * absorption * total).sqrt(), (absorption / (3 * total)).sqrt(), scattering / gap


def _sensitivities() -> Tensor:
    """Return the weights of the wavelengths in each band, which sum to 1, ``(54, 8)``."""
    distance = WAVELENGTHS[:, None] - torch.tensor(BANDS)
    weights = (-4 * torch.log(torch.tensor(2.0)) * (distance / WIDTH) ** 2).exp() * (distance.abs() <= WIDTH)
    return weights / weights.sum(0)
