"""Parts of the baselines against independent values; every family learns and colours."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from colorization.ablations import altered
from colorization.baseline import LATENT, Baseline
from colorization.classification import NEIGHBOURS, annealed_mean, gamut_bins, rarity_weights, soft_encode
from colorization.gan import ConditionalGAN
from colorization.vae import COMPONENTS, MixtureDensityVAE, mixture
from colorization_baselines import FAMILIES
from PIL import Image
from skimage.color import rgb2lab

from cinn_app.imaging import Photograph, read_photograph
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.recipes import parse_recipe
from cinn_app.systems.colorization.encoded import Canvas
from cinn_app.systems.colorization.model import normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe

pytestmark = pytest.mark.slow

Family = Callable[[str], Baseline]


@pytest.fixture
def family(tiny_recipe: dict[str, Any], views: Callable) -> Family:
    """Make a baseline of a family by its name, as small as the tiny recipe."""
    recipe = parse_recipe(tiny_recipe, "the tests")
    assert isinstance(recipe, ColorizationRecipe)

    def make(name: str) -> Baseline:
        torch.manual_seed(0)
        return FAMILIES[name](ImageEncoder(), recipe, views().ab)

    return make


def photograph() -> Photograph:
    """A photograph three times as wide as high, larger than the tiny recipe's working size."""
    rng = np.random.default_rng(0)
    return read_photograph(Image.fromarray(rng.integers(0, 256, (8, 24), dtype=np.uint8)).resize((192, 64)))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns_and_colours_any_size(family: Family, name: str, views: Callable) -> None:
    baseline = family(name)
    before = {key: value.clone() for key, value in baseline.encoder.stem.state_dict().items()}
    baseline.configure()
    losses = [baseline.train_step(views()) for _ in range(25)]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert all(torch.equal(before[key], value) for key, value in baseline.encoder.stem.state_dict().items())
    painter = baseline.eval().painter()
    drawn = painter.colorize(photograph(), 3)
    again = painter.colorize(photograph(), 3)
    centre = painter.best_guess(photograph())
    for one, other in zip(drawn, again, strict=True):
        assert one.ab.shape == (2, 13, 40) and one.ab.isfinite().all()
        torch.testing.assert_close(one.ab, other.ab)
    if name in ("regression", "classification", "queries"):
        torch.testing.assert_close(drawn[1].ab, centre.ab)
    else:
        assert (drawn[0].ab - drawn[1].ab).abs().max() > 1e-3


def test_a_family_averages_predictions_as_our_colorizer_does(family: Family) -> None:
    """With the flow's own decoder in its place, the regression's answer is our best guess."""
    flow, regression = family("flow"), family("regression")
    torch.nn.init.normal_(flow.decoder.mean[1].weight)  # it starts at zero
    regression.decoder = flow.decoder
    guess = flow.eval().painter().best_guess(photograph())
    torch.testing.assert_close(regression.eval().painter().best_guess(photograph()).ab, guess.ab)
    canvas = Canvas.of(photograph(), 96)
    once = canvas.crop(regression.centre(canvas.lightness(photograph())))
    assert (once[0] - guess.ab).abs().max() > 1e-2


def test_cached_features_save_the_encoder_unless_it_learns(family: Family, views: Callable) -> None:
    regression, batch = family("regression").eval(), views()
    whole = regression.encoder(batch.lightness)
    with torch.inference_mode():
        seen = regression.read(batch.lightness).mean
        torch.testing.assert_close(regression.read(batch.lightness, whole[:1]).mean, seen)
        other = [torch.randn_like(feature) for feature in whole]
        assert (regression.read(batch.lightness, [whole[0], *other[1:]]).mean - seen).abs().max() < 1e-3
        regression.recipe = altered(regression.recipe, "training", encoder_pace=0.0)
        torch.testing.assert_close(regression.read(batch.lightness, whole).mean, seen)
        assert (regression.read(batch.lightness, other).mean - seen).abs().max() > 1e-2


def test_samples_depart_from_the_averaged_centre_as_from_that_of_one_size(family: Family) -> None:
    vae = family("cvae").eval()
    canvas = Canvas.of(photograph(), 96)
    lightness = canvas.lightness(photograph())
    with torch.inference_mode():
        departures = vae.sample(lightness, 2, torch.Generator().manual_seed(0)) - vae.centre(lightness)
    drawn, centre = vae.painter().colorize(photograph(), 2), vae.painter().best_guess(photograph())
    for one, departure in zip(drawn, departures, strict=True):
        torch.testing.assert_close(one.ab - centre.ab, canvas.crop(departure), rtol=0, atol=1e-3)


def test_the_bins_are_those_of_srgb() -> None:
    """Against scikit-image's conversion: every colour has its bin, and every bin has colours."""
    bins = gamut_bins()
    rgb = np.random.default_rng(0).random((300_000, 3))
    rgb[:100_000] = rgb[:100_000].round()  # corners and edges of the cube, where the gamut ends
    rgb[50_000:100_000, 0] = np.linspace(0, 1, 50_000)
    ab = torch.from_numpy(rgb2lab(rgb)[:, 1:]).float()
    distances, nearest = torch.cdist(ab, bins).min(1)
    assert distances.max() < math.hypot(5, 5) + 0.3
    assert len(nearest.unique()) > 0.97 * len(bins)
    assert (bins % 10 == 0).all() and len(bins.unique(dim=0)) == len(bins)


def test_soft_encoding_has_the_nearest_bins_and_their_gaussian_shares() -> None:
    """Compared with a computation by hand; their mean is near the colour."""
    bins = gamut_bins()
    ab = 40 * torch.rand(2, 2, 5, 6, generator=torch.Generator().manual_seed(0)) - 20
    nearest, shares = soft_encode(ab, bins)
    assert nearest.shape == shares.shape == (2, NEIGHBOURS, 5, 6)
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 5, 6))
    distances = (bins - ab[1, :, 3, 4]).norm(dim=1)
    expected = distances.argsort()[:NEIGHBOURS]
    assert nearest[1, :, 3, 4].tolist() == expected.tolist()
    gaussian = torch.exp(-distances[expected].square() / 50)
    torch.testing.assert_close(shares[1, :, 3, 4], gaussian / gaussian.sum(), rtol=1e-4, atol=1e-5)
    decoded = (bins[nearest] * shares[..., None]).sum(1).movedim(-1, 1)
    assert (decoded - ab).norm(dim=1).mean() < 2.0


def test_the_annealed_mean_lies_between_mode_and_mean() -> None:
    bins = torch.tensor([[0.0, 0.0], [10.0, -20.0]])
    scores = torch.tensor([0.3, 0.7]).log().view(1, 2, 1, 1)
    assert annealed_mean(scores, bins, 1.0).flatten().tolist() == pytest.approx([7.0, -14.0], rel=1e-5)
    assert annealed_mean(scores, bins, 1e-3).flatten().tolist() == pytest.approx([10.0, -20.0], rel=1e-5)
    sharpened = 0.7 ** (1 / 0.38) / (0.7 ** (1 / 0.38) + 0.3 ** (1 / 0.38))
    assert annealed_mean(scores, bins).flatten().tolist() == pytest.approx([10 * sharpened, -20 * sharpened], rel=1e-5)


def test_rare_colours_weigh_more_and_the_mean_weight_is_one() -> None:
    bins = gamut_bins()
    ab = torch.zeros(1, 2, 10, 10)
    ab[0, :, 0, 0] = torch.tensor([60.0, 60.0])
    weights = rarity_weights(ab, bins)
    common, rare = (int((bins - torch.tensor(colour)).norm(dim=1).argmin()) for colour in ([0.0, 0.0], [60.0, 60.0]))
    assert weights[rare] > 10 * weights[common]
    assert 0.99 * weights[common] + 0.01 * weights[rare] == pytest.approx(1, rel=1e-5)


def test_the_mixtures_likelihood_by_hand() -> None:
    values = torch.randn(3, COMPONENTS * (1 + 2 * LATENT), generator=torch.Generator().manual_seed(0))
    z = torch.randn(3, LATENT, generator=torch.Generator().manual_seed(1))
    parts = values.view(3, COMPONENTS, 1 + 2 * LATENT)
    scores, means, logs = parts[..., 0], parts[..., 1 : 1 + LATENT], parts[..., 1 + LATENT :].clamp(-6, 2)
    densities = -0.5 * ((z[:, None] - means) / logs.exp()).square() - logs - 0.5 * math.log(2 * math.pi)
    expected = torch.logsumexp(scores.log_softmax(1) + densities.sum(2), 1)
    torch.testing.assert_close(mixture(values).log_prob(z), expected, rtol=1e-4, atol=1e-3)


def test_codes_are_drawn_from_the_mixture(family: Family) -> None:
    vae = family("vae-mdn")
    assert isinstance(vae, MixtureDensityVAE)
    prior = mixture(torch.randn(1, COMPONENTS * (1 + 2 * LATENT), generator=torch.Generator().manual_seed(0)))
    drawn = vae.draw(prior, 20_000, torch.Generator().manual_seed(1))
    reference = prior.sample((20_000,))[:, 0]
    torch.testing.assert_close(drawn.mean(0), prior.mean[0], rtol=0, atol=0.15)
    torch.testing.assert_close(drawn.std(0), reference.std(0), rtol=0.1, atol=0)


def test_the_discriminator_learns_to_tell_real_from_drawn(family: Family, views: Callable) -> None:
    gan = family("cgan")
    assert isinstance(gan, ConditionalGAN)
    gan.configure()
    before = gan.latent_decoder.modulation.weight.clone()
    gan.optimizers[0].param_groups[0]["lr"] = 0.0  # the generator stands still
    for _ in range(30):
        gan.train_step(views())
    assert torch.equal(gan.latent_decoder.modulation.weight, before)
    with torch.inference_mode():
        real = gan.discriminate(views().lightness, normalise(views().ab))
        drawn = gan.discriminate(views().lightness, gan.generate(views()))
    assert real.mean() > drawn.mean()
