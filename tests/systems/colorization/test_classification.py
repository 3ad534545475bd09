"""What is made of a classifier's answers."""

import pytest
import torch

from cinn_app.nn.efficientnet import Predictions
from cinn_app.systems.colorization.classification import ClassifierMetrics


def recognises(*classes_by_way: list[int]) -> object:
    """A classifier that says in advance what it recognises: per picture and way one class, sure of itself."""
    answers = iter(zip(*classes_by_way, strict=True))

    def classify(rgb8: torch.Tensor) -> Predictions:
        classes = torch.tensor(next(answers))
        features = rgb8.float().mean((1, 2))
        return Predictions(features, torch.nn.functional.one_hot(classes, 1000) + torch.linspace(0, -0.5, 1000))

    return classify


def pictures() -> dict[str, torch.Tensor]:
    picture = torch.randint(50, 200, (4, 4, 3), dtype=torch.uint8)
    return {"truth": picture, "gray": picture // 2, "one_sample": picture}


def test_shares_of_the_gap_and_distances() -> None:
    truth, gray, sample = [0, 0, 0, 0], [999] * 4, [0, 0, 0, 0]
    metrics = ClassifierMetrics(recognises(truth, gray, sample))  # type: ignore[arg-type]
    names = ["n01440764/1.jpg", "n15075141/1.jpg", "n15075141/2.jpg", "n15075141/3.jpg"]
    for name in names:
        metrics.update(name, pictures())
    found = metrics.compute()
    # Truth: the tench is recognised, toilet paper is not. Gray, taken for toilet paper, is right about all four.
    assert (found["top5_truth"], found["top5_gray"], found["top5_one_sample"]) == (0.25, 1.0, 0.25)
    assert "top5_gap_one_sample" not in found  # gray lost nothing
    assert found["frechet_one_sample"] == pytest.approx(0, abs=1e-3) and found["frechet_gray"] > 100
    assert found["pictures_of_known_class"] == 4


def test_the_share_of_the_gap() -> None:
    metrics = ClassifierMetrics(recognises([999] * 4, [500] * 4, [999, 500, 500, 500]))  # type: ignore[arg-type]
    for _ in range(4):
        metrics.update("n15075141/1.jpg", pictures())
    assert metrics.compute()["top5_gap_one_sample"] == 0.25


def test_what_pictures_do_not_suffice_for_is_left_out() -> None:
    metrics = ClassifierMetrics(recognises([1], [1], [1]))  # type: ignore[arg-type]
    metrics.update("beach.jpg", pictures())
    assert metrics.compute() == {}
