"""What the tab of inverse problems shows, without a page."""

import html
import re
from pathlib import Path

import pytest
import torch
from tiny_inverse import save_tiny_model

from cinn_app import InverseProblem
from cinn_app.studio.language import speaking, tr
from cinn_app.studio.page import build
from cinn_app.studio.room import DeferredModel, load_in_background
from cinn_app.systems.inverse_problems.problem import Quantity, load_problem
from cinn_app.systems.inverse_problems.studio import charts
from cinn_app.systems.inverse_problems.studio.endpoints import InverseApi
from cinn_app.systems.inverse_problems.studio.room import ROOM
from cinn_app.systems.inverse_problems.studio.shelf import Shelf, Shown
from cinn_app.systems.inverse_problems.studio.texts import short_title

MINE = """\"\"\"Mine\"\"\"
import torch
def prior(count, generator): return torch.randn(count, 1, generator=generator)
def simulate(x, generator): return torch.cat([x, x], 1) + torch.randn(len(x), 2, generator=generator)
"""
QUANTITIES = (Quantity("a", "mm"), Quantity("<b>"))


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown.of(
        InverseProblem.load(save_tiny_model("kinematics", tmp_path_factory.mktemp("arm") / "arm.safetensors"))
    )


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> InverseProblem:
    """A model of a user's file, which is gone."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    model = InverseProblem.load(save_tiny_model(folder / "mine.py", folder / "mine.safetensors"))
    (folder / "mine.py").unlink()
    return model


def test_an_observation_has_its_truth_and_an_answer_of_lines(arm: Shown) -> None:
    truth, observation = arm.start(seed=3)
    again, _ = arm.start(seed=3)
    assert truth == again is not None and truth != arm.start(seed=4)[0]
    assert arm.sketch is not None
    torch.testing.assert_close(arm.sketch(torch.tensor([truth]))[0, -1], torch.tensor(observation), rtol=0, atol=0.06)
    answer = arm.answer(observation)
    assert answer.samples.shape == (3000, 4) and answer.lines.shape == (60, 4, 2)
    torch.testing.assert_close(answer.lines, arm.sketch(answer.samples[:60]))
    torch.testing.assert_close(arm.answer(observation).samples, answer.samples)
    assert not answer.far and arm.answer([50.0, 0.0]).far


def test_what_the_page_sends_is_read_with_care(arm: Shown) -> None:
    (left, right), (bottom, top) = arm.measurement_ranges
    assert arm.read([1.0, 0.5]) == [1.0, 0.5]
    assert arm.read([1e9, -1e9]) == [right, bottom] and left < right and bottom < top
    average = arm.inverse.model.y_mean.tolist()
    for nonsense in (None, "x", [1.0], [float("nan"), None], {"a": 1}):
        assert arm.read(nonsense) == pytest.approx(average)


def test_a_model_of_a_users_file_works_without_the_file(mine: InverseProblem) -> None:
    shown = Shown.of(mine)
    truth, observation = shown.start(seed=0)
    assert truth is None and observation == pytest.approx(mine.model.y_mean.tolist())
    answer = shown.answer(observation)
    assert answer.samples.shape == (3000, 1) and answer.lines.shape == (0, 2)
    (low, high), *_ = shown.parameter_ranges
    assert low < -2 < 2 < high
    page = charts.marginals(mine.parameters, shown.parameter_ranges, shown.prior, answer.samples, truth)
    assert 'class="truth"' not in page and page.count("<figure>") == 1
    assert "1.00" not in charts.pairs(mine.parameters, shown.parameter_ranges, answer.samples, truth)
    assert charts.curves(shown.measurement_ranges, shown.simulated, answer.lines, None).count("<polyline") == 0


def test_marginals_give_quantiles_and_the_truth_at_its_place() -> None:
    samples = torch.stack([torch.linspace(0, 10, 1001), torch.zeros(1001)], 1)
    page = charts.marginals(QUANTITIES, [(0, 20), (-1, 1)], samples, samples, [5.0, 0.5])
    assert "5 (0.5 to 9.5)" in page and "<i>0.5</i>" in page
    assert re.findall(r'class="truth" x1="([\d.]+)"', page) == ["25.00", "75.00"]
    assert "&lt;b&gt;" in page and "<b></figcaption>" not in page, "names are text"


def test_pairs_have_their_correlation_above_and_their_cloud_below() -> None:
    across = torch.linspace(-1, 1, 500)
    page = charts.pairs(QUANTITIES, [(-1, 1), (-1, 1)], torch.stack([across, -across], 1), [0.5, -0.5])
    assert "\N{MINUS SIGN}1.00" in page and page.count("data:image/png") == 1
    assert 'style="left: 75.0%; bottom: 25.0%"' in page


def test_lines_cross_the_sliders_where_their_values_are() -> None:
    line = torch.tensor([[0.0, 15.0]])
    drawn = charts.curves([(0, 1), (10, 20)], torch.empty(0, 2), line, None)
    assert re.search(r'points="([^"]+)"', drawn)[1] == "25,100 75,50"


def test_a_line_in_the_plane_has_equal_scales() -> None:
    line = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    drawn = charts.curves([(0, 2), (-1, 3)], torch.empty(0, 2), line, line[0])
    assert 'viewBox="0 0 100 200"' in drawn
    assert re.findall(r'class="([\w-]+)" points="([^"]+)"', drawn) == [
        ("line", "0,150 50,100"),
        ("true-line", "0,150 50,100"),
    ]


def test_names_of_the_built_in_problems_are_translated() -> None:
    with speaking("zh"):
        for name in ("kinematics", "tissue", "star_cluster"):
            problem = load_problem(name)
            names = [quantity.name for quantity in (*problem.parameters, *problem.measurements)]
            texts = [problem.title, *(name for name in names if not re.search(r"/ |alpha", name))]
            assert all(tr(text) != text for text in texts), name
            assert "：" not in short_title(problem.title)


def test_programs_get_samples_and_what_they_say(mine: InverseProblem) -> None:
    api = InverseApi(mine)
    file, report = api.posterior([0.5, 0.7], count=500, seed=3)
    lines = file.read_text().splitlines()
    assert lines[0] == "x1" and len(lines) == 501
    values = torch.tensor([float(line) for line in lines[1:]])
    assert report["mean"] == pytest.approx([float(values.mean())], rel=1e-3, abs=1e-4)
    assert report["quantiles"][0]["0.5"] == pytest.approx(float(values.median()), rel=1e-2, abs=1e-2)
    assert (report["samples"], report["seed"], report["far"]) == (500, 3, False)
    assert api.posterior([500.0, 0.7])[1]["far"] is True
    assert api.problems()[0]["measurements"][0] == {"name": "y1", "unit": "", "range": None}


def test_the_page_is_built_without_the_weights(tmp_path: Path) -> None:
    """Neither the tab nor what programs may ask of the problems loads a model; the first observation does."""
    loads: list[Path] = []

    def load(path: Path) -> InverseProblem:
        loads.append(path)
        return InverseProblem.load(path)

    path = save_tiny_model("kinematics", tmp_path / "arm.safetensors")
    model = DeferredModel(path, load, InverseProblem.check_recipe, ROOM.header_attributes or {}, ROOM.ahead)
    page, api = build({"inverse-problems": model}), ROOM.api(model)
    load_in_background([model])
    assert api.problems()[0]["name"] == "kinematics"
    assert "The model is being loaded" in str(page.config["components"]) and loads == []
    assert len(api.posterior([1.5, 0.0])[1]["mean"]) == 4 and loads == [path]


def test_an_unknown_problem_is_refused_with_those_that_there_are(mine: InverseProblem) -> None:
    from cinn_app.errors import ProblemError

    with pytest.raises(ProblemError, match="no model of the problem <x>: choose one of mine") as caught:
        Shelf(mine).shown("<x>")
    assert "<x>" not in html.escape(str(caught.value))
