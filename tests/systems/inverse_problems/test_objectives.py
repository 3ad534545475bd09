"""What training minimises: the recipe's objectives, and likelihood with MMD losses on top."""

from pathlib import Path

import pytest
import torch
from known_problems import LINE, write_problem

from cinn_app.errors import RecipeError
from cinn_app.recipes import parse_recipe
from cinn_app.systems.inverse_problems.autoregressive import AutoregressiveFlow
from cinn_app.systems.inverse_problems.bidirectional import BidirectionalFlow
from cinn_app.systems.inverse_problems.conditional import ConditionalFlow
from cinn_app.systems.inverse_problems.networks import build_model
from cinn_app.systems.inverse_problems.problem import Quantity
from cinn_app.systems.inverse_problems.recipe import Objective, default_recipe
from cinn_app.systems.inverse_problems.training import prepare_training
from cinn_app.training.trainable import Setup


@pytest.mark.parametrize(
    ("objective", "kind"), [("likelihood", AutoregressiveFlow), ("both", ConditionalFlow), ("mmd", BidirectionalFlow)]
)
def test_the_objective_decides_the_network(objective: Objective, kind: type) -> None:
    assert isinstance(build_model(default_recipe("toy", "a toy", 3, 2, objective=objective)), kind)


def test_a_network_for_each_of_many_parameters_would_take_too_long() -> None:
    assert isinstance(build_model(default_recipe("toy", "a toy", 21, 2)), ConditionalFlow)


@pytest.mark.parametrize("parameters", [2, 10])
def test_networks_are_deeper_where_there_are_many_simulations(parameters: int) -> None:
    few, many = (build_model(default_recipe("toy", "a toy", parameters, 3, count)) for count in (10_000, 100_000))
    assert len(many.state_dict()) > len(few.state_dict())
    torch.manual_seed(0)
    x, y = torch.randn(50, parameters), torch.randn(50, 3)
    many.fit_scaling(x, y, [Quantity(f"x{number}") for number in range(parameters)])
    nats, _ = many.loss(x, y, 0.0)
    nats.backward()
    assert all(weight.grad is not None for weight in many.parameters())


def test_earlier_recipes_have_networks_of_two_hidden_layers() -> None:
    content = default_recipe("toy", "a toy", 3, 2).model_dump()
    del content["architecture"]["layers"]
    assert parse_recipe(content, "the test") == default_recipe("toy", "a toy", 3, 2)


def test_a_network_that_cannot_have_the_objective_is_refused() -> None:
    content = default_recipe("toy", "a toy", 3, 2, objective="mmd").model_dump()
    content["architecture"] = default_recipe("toy", "a toy", 3, 2).model_dump()["architecture"]
    with pytest.raises(RecipeError, match=r"architecture\.kind = 'bidirectional' where objective\.kind is 'mmd'"):
        parse_recipe(content, "the test")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, r"objective\.kind is missing, add it"),
        ({"kind": "luck"}, r"objective\.kind is 'luck', but should be 'likelihood', 'both', 'mmd'"),
    ],
)
def test_an_unknown_objective_is_one_sentence(given: dict[str, str], sentence: str) -> None:
    content = default_recipe("toy", "a toy", 3, 2).model_dump() | {"objective": given}
    with pytest.raises(RecipeError, match=sentence):
        parse_recipe(content, "the test")


def test_both_adds_the_mmd_losses_to_the_likelihood() -> None:
    recipe = default_recipe("toy", "a toy", 2, 1, objective="both")
    torch.manual_seed(0)
    model = build_model(recipe)
    x, y = torch.randn(40, 2), torch.randn(40, 1)
    total, parts = model.loss(x, y, progress=1.0)
    weighted = parts["nats"] + recipe.objective.latent_weight * parts["L_z"]
    weighted += recipe.objective.prior_weight * parts["L_x"]
    assert total.item() == pytest.approx(weighted.item())
    assert parts["nats"].item() == pytest.approx(-model.log_prob(x, y).mean().item())


def test_weight_decay_leaves_the_regression_alone(tmp_path: Path) -> None:
    """Narrow posteriors need large coefficients and small scales, which no gradient asks for once they are right."""
    setup = Setup([write_problem(tmp_path, LINE)], tmp_path, torch.device("cpu"))
    training = prepare_training(default_recipe("mine", "a line", 2, 3, 500), setup)
    before = {name: value.clone() for name, value in training.model.named_parameters()}
    optimizer = torch.optim.AdamW(training.parameter_groups(0.1), lr=0.1, weight_decay=5.0)
    for parameter in training.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shrunk = {name for name, value in training.model.named_parameters() if not torch.equal(value, before[name])}
    assert shrunk and all(".subnets." in name for name in shrunk)
    assert {name.rpartition(".")[2] for name in before.keys() - shrunk} >= {"weight", "bias", "log_scale"}
