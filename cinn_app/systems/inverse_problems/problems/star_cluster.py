r"""A star cluster in its cloud: which cloud, and stars of which age, shine in these emission lines?

Stars form in the middle of a cloud of even density. Their winds, supernovae and light sweep the gas into a shell, as in
WARPFIELD (Rahner et al. 2017, 2019; Pellegrini et al. 2020), which is the model for this much simpler simulator:

1. While the gas of the winds is hot, the shell is driven by its energy (Weaver et al. 1977), with
   :math:`R = (125 L t^3 / 154 \pi \rho)^{1/5}`, until that gas has cooled (Mac Low and McCray 1988) or the shell has
   reached the edge of the cloud.
2. Then it is driven by momentum, against gravity:

   .. math:: \frac{d(M v)}{dt} = \dot p + \frac{L_{bol}}{c} - \frac{G M}{R^2} \left(M_* + \frac{M}{2}\right)

3. A shell that falls back to 1 pc forms the next generation of stars with the same efficiency, beside the old ones. So
   few young stars or many old ones, in a first generation or a later one, may shine alike.
4. The shell has the pressure that drives it, at 10,000 K. It absorbs as many ionising photons as it can recombine. The
   ionisation parameter, the hardness of the light and the density give the lines: H alpha, [O III] 4959+5007,
   [O II] 3727, [S II] 6716+6731, [S III] 9069+9532 and He I 5876.

Sources of the constants:

- :data:`TRACKS`, the output of a million solar masses of stars: a run of Starburst99 (Leitherer et al. 1999, 2014;
  Geneva tracks with rotation, metallicity 0.014) that comes with WARPFIELD, rounded by us to 0.01 at a few ages;
  supernova ejecta at 10,000 km/s, as in WARPFIELD.
- Time of cooling: Mac Low and McCray (1988), ``16 Myr n^(-8/11) (L / 1e38 erg/s)^(3/11)``, for solar metallicity.
- Case B at 10,000 K (Osterbrock and Ferland 2006): recombination 2.6e-13 cm³/s, H alpha 1.37e-12 erg per ionisation,
  H alpha to H beta 2.86.
- [S II]/[S III] and [O II]/[O III] as functions of the ionisation parameter: Díaz et al. (1991, 2000). [S II] 6716/6731
  as a function of the density: Sanders et al. (2016).
- Approximations of ours: [O II] + [O III] is 3 and [S II] + [S III] is 1.5 times H beta, about as in H II regions of
  solar metallicity. The ionising light is as hard as a black body with the same energy per photon; [O III]/[O II] is
  proportional to its share of photons that ionise O+, and as calibrated at zero age; He I 5876 reaches 0.13 H beta
  where 15% of the photons ionise helium. The mean ionisation parameter of a shell is half of that at its inner edge.
  The cloud is surrounded by gas of one atom per cm³ and a pressure of 10,000 K/cm³. Noise is 0.05 dex in most lines,
  and there is a background of 1e35 erg/s.

Simplified beyond that: all is a sphere, of even density and one metallicity; no dust, magnetic fields, turbulence or
runaway stars; small clusters have a typical share of massive stars; no radiative transfer. The lines show the trends
and the several modes of the real problem. They are not for fitting observed clouds.
"""

import functools

import torch
from torch import Generator, Tensor

names = ("mass of the cloud", "star formation efficiency", "density of the cloud", "age of the first stars")
units = ("log solar masses", "log", "log atoms/cm³", "Myr")
ranges = ((5.0, 6.5), (-2.0, -0.7), (2.0, 3.5), (0.5, 20.0))
measurement_names = (
    "H alpha",
    "[O III] / H beta",
    "[O II] / H beta",
    "[S II] / H beta",
    "[S III] / H beta",
    "[S II] 6716 / 6731",
    "He I / H beta",
)
measurement_units = ("log erg/s", "log", "log", "log", "log", "", "")

#: Standard deviations of the measurements, in their units.
NOISE = (0.05, 0.05, 0.05, 0.05, 0.05, 0.03, 0.005)

# Units of the simulator are pc, Myr and solar masses; luminosities are in erg/s, momentum injection in dyn.
PC, MYR, SUN = 3.0857e18, 3.15576e13, 1.989e33
GRAVITY = 6.674e-8 * SUN * MYR**2 / PC**3
DYN = MYR**2 / (SUN * PC)
LIGHT, BOLTZMANN, ELECTRONVOLT = 2.998e10, 1.381e-16, 1.602e-12
#: Mass per hydrogen atom, in g: 1.4 with helium.
ATOM = 1.4 * 1.6726e-24
#: Particles per hydrogen atom in ionised gas times its thermal energy at 10,000 K.
THERMAL = 2.2 * BOLTZMANN * 1e4
RECOMBINATION, H_ALPHA, BALMER = 2.6e-13, 1.37e-12, 2.86
#: Pressure around the cloud in erg/cm³, and background in erg/s.
OUTSIDE, BACKGROUND = 1e4 * BOLTZMANN, 1e35
#: Density of the gas around the cloud, in solar masses/pc³: one atom per cm³.
AROUND = ATOM * PC**3 / SUN
SPHERE = 4 / 3 * torch.pi
#: The share of its radius by which a shell may move in one step.
PACE = 0.1
#: Generations of stars that are followed, and the radius at which a shell has collapsed.
GENERATIONS, COLLAPSED = 6, 1.0

#: Age in Myr; of a million solar masses, decimal logarithms of ionising photons/s, their share of the bolometric
#: luminosity, that luminosity in erg/s, mechanical luminosity in erg/s, and momentum injection in dyn.
TRACKS = (
    (0.0, 52.73, -0.25, 42.54, 40.09, 31.83),
    (1.0, 52.76, -0.27, 42.58, 40.14, 31.92),
    (2.0, 52.81, -0.28, 42.64, 40.17, 32.01),
    (3.0, 52.78, -0.41, 42.70, 40.07, 32.05),
    (3.3, 52.80, -0.38, 42.70, 40.33, 32.33),
    (3.7, 52.78, -0.38, 42.67, 40.49, 32.35),
    (4.0, 52.69, -0.42, 42.63, 40.43, 32.24),
    (5.0, 52.43, -0.55, 42.48, 40.32, 32.06),
    (6.0, 52.14, -0.70, 42.34, 40.30, 31.91),
    (7.0, 51.82, -0.91, 42.23, 40.23, 31.80),
    (8.0, 51.43, -1.25, 42.12, 40.22, 31.67),
    (9.0, 50.95, -1.65, 42.02, 40.17, 31.57),
    (10.0, 50.64, -1.88, 41.92, 40.15, 31.53),
    (10.5, 50.28, -2.19, 41.88, 40.12, 31.49),
    (12.0, 49.97, -2.41, 41.79, 40.03, 31.39),
    (15.0, 49.49, -2.77, 41.66, 39.95, 31.26),
    (20.0, 48.88, -3.19, 41.47, 39.93, 31.23),
)
#: Rows of a finer table of the tracks per Myr.
ROWS = 50


def prior(count: int, generator: Generator) -> Tensor:
    """Draw clouds and ages, uniformly in :data:`ranges`, ``(count, 4)``."""
    low, high = torch.tensor(ranges).unbind(1)
    return low + (high - low) * torch.rand(count, len(ranges), generator=generator)


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Measure the lines, ``(count, 7)``."""
    exact = lines(Shells(x).run())
    return exact + torch.tensor(NOISE) * torch.randn(exact.shape, generator=generator)


@functools.cache
def tracks() -> Tensor:
    """Return a fine table of the stars' output per solar mass, by age: ``(ages, 4)``.

    Columns: 1e46 ionising photons/s, their energy in 1e35 erg/s, mechanical luminosity in 1e38 erg/s, and injection of
    momentum, with that of light, in solar masses pc/Myr².
    """
    knots = torch.tensor(TRACKS, dtype=torch.float64)
    ages = torch.arange(int(ROWS * knots[-1, 0]) + 2) / ROWS
    after = torch.searchsorted(knots[:, 0].contiguous(), ages.double()).clamp(1, len(knots) - 1)
    low, high = knots[after - 1], knots[after]
    weight = ((ages - low[:, 0]) / (high[:, 0] - low[:, 0]))[:, None]
    photons, share, total, mechanical, momentum = (low + weight * (high - low))[:, 1:].unbind(1)
    push = (10**momentum + 10**total / LIGHT) * DYN
    columns = [10 ** (photons - 46), 10 ** (total + share - 35), 10 ** (mechanical - 38), push]
    return torch.stack(columns, 1).div(1e6).float()


class Shells:
    """The shells of many clouds, each followed to its own age.

    Attributes:
        radius, speed, mass: in pc, pc/Myr and solar masses, ``(count,)``.
        hot: whether hot gas drives the shell.
        time: since the first stars, in Myr.
        begun: time at which the newest bubble began.
        births, stars: of the generations, in Myr and solar masses, ``(count, 6)``; none yet: mass 0.
    """

    def __init__(self, x: Tensor) -> None:
        cloud, efficiency, density, self.age = x.unbind(1)
        self.efficiency = 10**efficiency
        self.density = 10**density * AROUND
        self.atoms = 10**density
        self.gas = 10**cloud
        self.time = torch.zeros_like(self.age)
        self.begun, self.radius, self.speed, self.mass, self.edge = torch.zeros(5, len(x)).unbind()
        self.hot = torch.zeros_like(self.age, dtype=torch.bool)
        self.generation = torch.zeros_like(self.age, dtype=torch.long)
        self.births = torch.zeros(len(x), GENERATIONS)
        self.stars = torch.zeros(len(x), GENERATIONS)

    def run(self) -> "Shells":
        """Follow all shells to their ages."""
        self.form_stars(torch.arange(len(self.age)))
        going = torch.arange(len(self.age))
        while len(going := going[self.time[going] < self.age[going]]):
            self.step(going)
            back = (self.radius[going] < COLLAPSED) & (self.speed[going] < 0) & (self.time[going] < self.age[going])
            if back.any():
                self.form_stars(going[back])
        return self

    def output(self, of: Tensor, time: Tensor) -> Tensor:
        """Return the output of all stars at a time, in the units of :func:`tracks`, ``(len(of), 4)``."""
        return (tracks()[self.rows(of, time)] * self.stars[of][:, :, None]).sum(1)

    def rows(self, of: Tensor, time: Tensor) -> Tensor:
        """Return the row of the tracks for the age of each generation, ``(len(of), 6)``."""
        return ((time[:, None] - self.births[of]) * ROWS).round().long().clamp(0, len(tracks()) - 1)

    def form_stars(self, of: Tensor) -> None:
        """Begin a generation, and follow its hot bubble to its end or to the age."""
        fertile = of[self.generation[of] < GENERATIONS]
        new = self.efficiency[fertile] * self.gas[fertile]
        self.births[fertile, self.generation[fertile]] = self.time[fertile]
        self.stars[fertile, self.generation[fertile]] = new
        self.gas[fertile] -= new
        self.generation[of] += 1
        self.begun[of] = self.time[of]
        density, gas = self.density[of], self.gas[of]
        edge = (gas / (SPHERE * density)) ** (1 / 3)
        power = self.output(of, self.time[of])[:, 2]
        cooling = 16 * self.atoms[of] ** (-8 / 11) * power ** (3 / 11)
        crossing = (edge / weaver(power, density, torch.ones_like(edge))) ** (5 / 3)
        rest = self.age[of] - self.time[of]
        lasts = torch.minimum(cooling, crossing)
        duration = torch.minimum(lasts, rest)
        radius = weaver(power, density, duration)
        self.edge[of] = edge
        self.radius[of], self.speed[of] = radius, 0.6 * radius / duration
        self.mass[of] = self.swept(of, radius)
        self.hot[of] = lasts > rest
        self.time[of] = torch.where(lasts > rest, self.age[of], self.time[of] + duration)

    def swept(self, of: Tensor, radius: Tensor) -> Tensor:
        """Return the mass of gas within a radius, in solar masses."""
        edge = self.edge[of]
        return self.gas[of] * (radius / edge).clamp(max=1) ** 3 + SPHERE * AROUND * (radius**3 - edge**3).clamp(min=0)

    def acceleration(self, of: Tensor, time: Tensor, radius: Tensor, speed: Tensor, mass: Tensor) -> Tensor:
        """Return the acceleration of the shell by light, winds, gravity and the mass that it sweeps up, in pc/Myr²."""
        stars = self.stars[of]
        push = (tracks()[:, 3].take(self.rows(of, time)) * stars).sum(1)
        pull = GRAVITY * mass * (stars.sum(1) + mass / 2) / radius**2
        density = torch.where(radius < self.edge[of], self.density[of], AROUND)
        sweeps = (speed > 0) & (mass <= 1.001 * self.swept(of, radius))
        gain = 4 * torch.pi * radius**2 * density * speed * sweeps
        return (push - pull - gain * speed) / mass

    def step(self, of: Tensor) -> None:
        """Take one step of the midpoint rule, as long as the shell changes little in it."""
        time, radius, speed, mass = (row[of] for row in (self.time, self.radius, self.speed, self.mass))
        now = self.acceleration(of, time, radius, speed, mass)
        pace = torch.maximum(speed.abs() / radius, (now.abs() / radius).sqrt())
        step = (PACE / pace).clamp(max=0.1).minimum(self.age[of] - time).clamp(min=1e-5)
        half_radius, half_speed = radius + step / 2 * speed, speed + step / 2 * now
        half_mass = torch.maximum(mass, self.swept(of, half_radius))
        later = self.acceleration(of, time + step / 2, half_radius, half_speed, half_mass)
        radius, speed = radius + step * half_speed, speed + step * later
        self.radius[of], self.speed[of] = radius.clamp(min=0.5 * COLLAPSED), speed
        self.mass[of] = torch.maximum(mass, self.swept(of, radius))
        self.time[of] = torch.where(time + step >= self.age[of] - 1e-5, self.age[of], time + step)

    def pressure(self) -> Tensor:
        """Return the pressure in the shell, in erg/cm³: of the hot gas, or of what drives it without."""
        everything = torch.arange(len(self.age))
        output = self.output(everything, self.age)
        volume = SPHERE * self.radius.double() ** 3 * PC**3
        thermal = 10 / 33 * output[:, 2].double() * 1e38 * (self.age - self.begun) * MYR / volume
        area = 4 * torch.pi * self.radius.double() ** 2 * PC**2
        return torch.where(self.hot, thermal, output[:, 3].double() / DYN / area) + OUTSIDE


def weaver(power: Tensor, density: Tensor, time: Tensor) -> Tensor:
    """Return the radius of a bubble of hot gas in pc, from 1e38 erg/s, solar masses/pc³ and Myr."""
    unit = 1e38 * MYR**3 / (SUN * PC**2)
    return (125 / (154 * torch.pi) * unit * power * time**3 / density) ** (1 / 5)


def lines(shells: Shells) -> Tensor:
    """Return the lines of the shells without noise, ``(count, 7)``."""
    output = shells.output(torch.arange(len(shells.age)), shells.age)
    photons = output[:, 0].double() * 1e46
    density = shells.pressure() / THERMAL
    absorbed = (RECOMBINATION * density * shells.mass.double() * (SUN / ATOM) / photons).clamp(max=1)
    area = 4 * torch.pi * shells.radius.double() ** 2 * PC**2
    ionisation = (photons / (2 * area * density * LIGHT)).log10()
    helium, oxygen = hardness(output[:, 1].double() * 1e35 / photons / ELECTRONVOLT)
    alpha = absorbed * photons * H_ALPHA + BACKGROUND
    oxygens = 10 ** ((ionisation + 3.02) / 0.80) * oxygen
    sulphurs = 10 ** ((ionisation + 2.99) / 1.68)
    columns = [
        alpha.log10(),
        (3 * oxygens / (1 + oxygens) + 1e-3).log10(),
        (3 / (1 + oxygens) + 1e-3).log10(),
        (1.5 / (1 + sulphurs)).log10(),
        (1.5 * sulphurs / (1 + sulphurs)).log10(),
        0.4315 * (2107 + density) / (627.1 + density),
        0.13 * (helium / 0.15).clamp(max=1),
    ]
    return torch.stack(columns, 1).float()


def hardness(energy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share of ionising photons that ionise He, and relative to zero age the share that ionise O+.

    Args:
        energy: mean energy of an ionising photon, in eV.
    """
    energies, shares = _black_bodies()
    after = torch.searchsorted(energies, energy).clamp(1, len(energies) - 1)
    weight = ((energy - energies[after - 1]) / (energies[after] - energies[after - 1])).clamp(0, 1)[:, None]
    helium, oxygen = ((1 - weight) * shares[after - 1] + weight * shares[after]).exp().unbind(1)
    return helium, oxygen


@functools.cache
def _black_bodies() -> tuple[Tensor, Tensor]:
    """Return mean energies of ionising photons of black bodies, and the logarithms of both shares."""
    kelvin = torch.linspace(1.5e4, 1e5, 300, dtype=torch.float64)[:, None]
    energy = torch.linspace(13.6, 150, 4000, dtype=torch.float64)
    photons = energy**2 / torch.expm1(energy * ELECTRONVOLT / (BOLTZMANN * kelvin))
    all_photons = photons.sum(1)
    mean = (photons * energy).sum(1) / all_photons
    shares = torch.stack([photons[:, energy > limit].sum(1) / all_photons for limit in (24.6, 35.1)], 1)
    _, share, total = (10 ** torch.tensor(TRACKS[0][column], dtype=torch.float64) for column in (1, 2, 3))
    start = torch.searchsorted(mean, share * total / 10 ** TRACKS[0][1] / ELECTRONVOLT)
    return mean, (shares / torch.stack([torch.ones_like(shares[start, 1]), shares[start, 1]])).log()
