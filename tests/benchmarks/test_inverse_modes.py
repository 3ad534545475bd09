"""The contest on the eight modes: every contestant learns and draws, and the figures say what they should."""

from pathlib import Path

import pytest
import torch
from eight_modes import measuring
from eight_modes.contestant import PARAMETERS, count_weights
from eight_modes.labellings import LABELLINGS
from eight_modes.vae import CODE, CONTEXT, AutoregressiveStep
from inverse_modes import CONTESTANTS, parse, run

pytestmark = pytest.mark.slow


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("inverse_modes", "eight_modes.measuring"):
        monkeypatch.setattr(f"{module}.DRAWS", 400)


@pytest.mark.parametrize("name", CONTESTANTS)
def test_contestants_have_as_many_weights_and_learn(name: str) -> None:
    labelling = LABELLINGS["some"]
    x, y = labelling.simulate(500, seed=0)
    torch.manual_seed(0)
    contestant = CONTESTANTS[name](x, y)
    expected = 4 * PARAMETERS if name == "larger GAN" else PARAMETERS
    assert count_weights(contestant.sampler) == pytest.approx(expected, rel=0.02)
    optimizers = contestant.optimizers()
    before = contestant.sample(y[:5])
    for _ in range(3):
        contestant.train_step(x[:64], y[:64], 0.5, optimizers)
    after = contestant.sample(y[:5])
    assert after.shape == before.shape == (5, 2)
    assert all(weight.grad is not None for weight in contestant.sampler.parameters())


def test_the_truth_has_all_modes_and_no_error(few_draws: None) -> None:
    for labelling in LABELLINGS.values():
        samples = [labelling.posterior(label, 500, torch.Generator()) for label in range(len(labelling.codes))]
        scores = measuring.measure(samples, labelling)
        assert (scores.modes, scores.wrong) == (8, 0)
        assert abs(scores.mmd) < 0.005
        assert scores.stray < 0.01


def test_samples_of_the_wrong_label_count_as_wrong() -> None:
    labelling = LABELLINGS["some"]
    samples = [labelling.posterior(label, 500, torch.Generator()) for label in (0, 1, 2, 2)]
    scores = measuring.measure(samples, labelling)
    assert scores.modes == 7
    assert scores.wrong == pytest.approx(1 / 4)
    assert scores.mmd > 0.05


def test_the_autoregressive_step_sees_only_what_comes_before() -> None:
    step, z, context = AutoregressiveStep(), torch.randn(1, CODE), torch.randn(1, CONTEXT)
    jacobian = torch.autograd.functional.jacobian(lambda z: step(z, context)[1][0], z)[:, 0]
    assert (jacobian.triu() == 0).all()
    assert (jacobian.tril(-1)[1:].abs().sum(1) > 0).all()
    of_context = torch.autograd.functional.jacobian(lambda context: step(z, context)[1][0], context)[:, 0]
    assert (of_context.abs().sum(1) > 0).all()


def test_the_script_writes_table_and_pictures(
    few_draws: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--seconds", "0.05", "--labelling", "none", "--run", str(tmp_path), "--pictures", str(tmp_path)]
    options += [
        "--only",
        "INN, all losses",
        "--only",
        "VAE",
        "--film",
        "0.05",
        "--json",
        str(tmp_path / "figures.json"),
    ]
    run(parse(options))
    printed = capsys.readouterr().out
    assert "the true posterior" in printed
    assert "VAE" in printed
    assert {"eight-modes.png", "eight-modes-latents.png", "eight-modes.webp", "figures.json"} <= {
        path.name for path in tmp_path.iterdir()
    }
