"""The shell around a star cluster: its known laws, and lines that are known."""

import math

import pytest
import torch
from torch import Tensor

from cinn_app.systems.inverse_problems.problems import star_cluster
from cinn_app.systems.inverse_problems.problems.star_cluster import Shells

#: Cloud mass, efficiency, density and age.
CLOUD = (6.5, -1.7, 3.3, 1.0)


def shell(radius: float, mass: float, stars: float, age: float, density: float = 0.0) -> Shells:
    """Return one shell that is driven by momentum, in gas of a density in solar masses/pc³."""
    shells = Shells(torch.tensor([[6.0, -1.0, 2.0, age]]))
    shells.radius, shells.mass = torch.tensor([radius]), torch.tensor([mass])
    shells.stars[0, 0] = stars
    shells.density[:], shells.edge[:] = density, 1e6 if density else 1e-3
    shells.gas[:] = star_cluster.SPHERE * density * 1e18 if density else mass
    return shells


def follow(shells: Shells) -> Shells:
    """Follow it to its age, or until it has collapsed."""
    of = torch.arange(1)
    while shells.time[0] < shells.age[0] and shells.radius[0] > 1:
        shells.step(of)
    return shells


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Stars of steady output: momentum of 30 per solar mass, in pc/Myr²."""
    table = torch.tensor([[5.0, 20.0, 1e-4, 30.0]]).repeat(1002, 1)
    monkeypatch.setattr(star_cluster, "tracks", lambda: table)
    return table


def test_hot_bubble_follows_weaver() -> None:
    """Weaver et al. (1977): 27 pc for 1e36 erg/s, 1 atom/cm³ and 1 Myr, growing with t^(3/5)."""
    power, density, time = torch.tensor([0.01]), torch.tensor([star_cluster.AROUND]), torch.tensor([1.0])
    radius = float(star_cluster.weaver(power, density, time))
    assert radius == pytest.approx(27, rel=0.05)
    assert float(star_cluster.weaver(power, density, 32 * time)) == pytest.approx(8 * radius, rel=1e-4)


def test_steady_push_grows_with_the_root_of_time(steady: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """In even gas without gravity: R = (3 F / 2 pi rho)^(1/4) t^(1/2)."""
    monkeypatch.setattr(star_cluster, "GRAVITY", 0.0)
    stars, density = 1e5, 10.0

    def expected(time: float) -> float:
        return float((3 * 30 * stars / (2 * math.pi * density)) ** 0.25 * time**0.5)

    start = expected(0.1)
    shells = shell(start, star_cluster.SPHERE * density * start**3, stars, age=10.0, density=density)
    shells.time[:], shells.speed[:] = 0.1, start / 0.2
    assert float(follow(shells).radius) == pytest.approx(expected(10.0), rel=0.01)


def test_shell_falls_freely_without_push(steady: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """From rest, a light shell falls on the stars in pi/2 sqrt(R³ / 2 G M)."""
    steady[:, 3] = 0
    monkeypatch.setattr(star_cluster, "AROUND", 0.0)
    shells = follow(shell(30.0, 1.0, 1e6, age=20.0))
    assert float(shells.time) == pytest.approx(math.pi / 2 * (30**3 / (2 * 4.4985e-3 * 1e6)) ** 0.5, rel=0.02)


def test_few_stars_in_a_dense_cloud_make_further_generations() -> None:
    shells = Shells(torch.tensor([[6.5, -1.8, 3.3, 10.0], [5.0, -0.7, 2.0, 10.0]])).run()
    assert shells.generation.tolist()[0] > 1
    assert shells.generation.tolist()[1] == 1
    assert (shells.births.diff(dim=1)[0, : shells.generation[0] - 1] > 0).all(), "one after the other"
    assert float(shells.gas[0] + shells.stars[0].sum()) == pytest.approx(10**6.5, rel=1e-4), "gas becomes stars"


def test_smaller_steps_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    x = star_cluster.prior(30, torch.Generator().manual_seed(0))
    coarse = star_cluster.lines(Shells(x).run())
    monkeypatch.setattr(star_cluster, "PACE", 0.04)
    fine = star_cluster.lines(Shells(x).run())
    assert float((coarse - fine).abs().median(0).values.max()) < 0.01


def test_young_clouds_shine_as_their_stars_ionise() -> None:
    """A cloud that absorbs all: 10^4.8 solar masses of stars give 10^51.56 photons/s at 1 Myr."""
    shells = Shells(torch.tensor([CLOUD])).run()
    alpha, oxygen3, oxygen2, sulphur2, sulphur3, doublet, helium = star_cluster.lines(shells)[0].tolist()
    assert alpha == pytest.approx(51.56 + math.log10(1.37e-12), abs=0.02)
    assert helium == pytest.approx(0.13)
    assert 10**oxygen3 + 10**oxygen2 == pytest.approx(3, rel=0.01)
    assert 10**sulphur2 + 10**sulphur3 == pytest.approx(1.5, rel=0.01)
    assert 0.43 < doublet < 1.45


def test_old_stars_ionise_little_and_no_helium() -> None:
    young, old = star_cluster.lines(Shells(torch.tensor([[6.0, -0.7, 2.0, 2.0], [6.0, -0.7, 2.0, 12.0]])).run())
    assert old[0] < young[0] - 2
    assert old[1] < young[1] - 1.5
    assert old[6] < 0.05 < 0.12 < young[6]


def test_simulations_are_finite_and_noisy() -> None:
    generator = torch.Generator().manual_seed(1)
    x = star_cluster.prior(200, generator)
    x[:, 3] = 1
    measured = star_cluster.simulate(x, generator)
    assert measured.shape == (200, 7)
    assert measured.isfinite().all()
    noise = (measured - star_cluster.lines(Shells(x).run())) / torch.tensor(star_cluster.NOISE)
    assert float(noise.std()) == pytest.approx(1, rel=0.1)
