"""What is made of a judge's verdicts."""

import pytest
import torch

from cinn_app.nn.classifier import Verdict
from cinn_app.systems.colorization.classification import Judging


def recognises(*classes_by_way: list[int]) -> object:
    """A judge that says in advance what it recognises: per picture and way one class, sure of itself."""
    answers = iter(zip(*classes_by_way, strict=True))

    def judge(rgb8: torch.Tensor) -> Verdict:
        classes = torch.tensor(next(answers))
        features = rgb8.float().mean((1, 2))
        return Verdict(features, torch.nn.functional.one_hot(classes, 1000) + torch.linspace(0, -0.5, 1000))

    return judge


def pictures() -> dict[str, torch.Tensor]:
    picture = torch.randint(50, 200, (4, 4, 3), dtype=torch.uint8)
    return {"truth": picture, "gray": picture // 2, "one_sample": picture}


def test_shares_of_the_gap_and_distances() -> None:
    truth, gray, sample = [0, 0, 0, 0], [999] * 4, [0, 0, 0, 0]
    judging = Judging(recognises(truth, gray, sample))  # type: ignore[arg-type]
    names = ["n01440764/1.jpg", "n15075141/1.jpg", "n15075141/2.jpg", "n15075141/3.jpg"]
    for name in names:
        judging.look(name, pictures())
    found = judging.figures()
    # Truth: the tench is recognised, toilet paper is not. Gray, taken for toilet paper, is right about all four.
    assert (found["top5_truth"], found["top5_gray"], found["top5_one_sample"]) == (0.25, 1.0, 0.25)
    assert "top5_gap_one_sample" not in found  # gray lost nothing
    assert found["frechet_one_sample"] == pytest.approx(0, abs=1e-3) and found["frechet_gray"] > 100
    assert found["pictures_of_known_class"] == 4


def test_the_share_of_the_gap() -> None:
    judging = Judging(recognises([999] * 4, [500] * 4, [999, 500, 500, 500]))  # type: ignore[arg-type]
    for _ in range(4):
        judging.look("n15075141/1.jpg", pictures())
    assert judging.figures()["top5_gap_one_sample"] == 0.25


def test_what_pictures_do_not_suffice_for_is_left_out() -> None:
    judging = Judging(recognises([1], [1], [1]))  # type: ignore[arg-type]
    judging.look("beach.jpg", pictures())
    assert judging.figures() == {}
