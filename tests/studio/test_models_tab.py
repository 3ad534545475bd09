"""The models tab."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from cinn_app import checkpoints
from cinn_app.checkpoints import installed_models
from cinn_app.studio.endpoints import File, Line, Picture, describe
from cinn_app.studio.models_tab import ModelsApi, card_text, facts, reference


@pytest.fixture
def checkpoints_folder(tiny_digits_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its card with a picture, and a damaged model."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(tiny_digits_checkpoint, folder / "digits.safetensors")
    (folder / "torn.safetensors").write_bytes(b"<torn>")
    (tmp_path / "models").mkdir()
    (tmp_path / "images").mkdir()
    Image.new("L", (4, 3)).save(tmp_path / "images" / "card.png")
    (tmp_path / "models" / "digits.md").write_text(
        "# digits\n\nScrawls ([how](../docs/how.md), [terms](https://example.org)).\n\n"
        "![Rows](../images/card.png)\n![Gone](../images/gone.png)\n"
    )
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda: folder)
    return folder


def test_a_model_is_shown_with_its_figures_and_a_damaged_one_with_its_problem(checkpoints_folder: Path) -> None:
    digits, torn = installed_models()
    shown = facts(digits)
    for fact in (
        "<h2>digits <small>Random scrawls, for the tests</small></h2>",
        "<dt>Licence</dt><dd>CC0-1.0</dd>",
        "<dt>Trained on</dt><dd>noise</dd>",
        "<dt>Bits per dimension, held out</dt><dd>7.5</dd>",
    ):
        assert fact in shown
    assert torn.card is None and torn.header is None
    assert "torn <small>cannot be read</small>" in facts(torn) and "damaged" in facts(torn)
    assert "<torn>" not in facts(torn)


def test_a_given_model_comes_first_wherever_it_is(
    checkpoints_folder: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [model.name for model in installed_models(tiny_checkpoint)] == ["tiny", "digits", "torn"]
    monkeypatch.chdir(tiny_checkpoint.parent)
    assert installed_models("tiny.safetensors")[0].name == "tiny"
    for name in ("torn", checkpoints_folder / ".." / "checkpoints" / "torn.safetensors"):
        assert [model.name for model in installed_models(name)] == ["torn", "digits"]  # not twice
    tiny, digits = installed_models(tiny_checkpoint)[:2]
    assert "In use for colorization" in facts(tiny, in_use=True) and "In use" not in facts(digits)
    lines, _ = ModelsApi({}, str(tiny_checkpoint)).models()
    assert [line["name"] for line in lines] == ["tiny", "digits", "torn"]


def test_a_card_stands_by_itself(checkpoints_folder: Path) -> None:
    card = installed_models()[0].card
    assert card is not None
    text = card_text(card)
    assert text.strip().startswith("Scrawls (how, [terms](https://example.org)).")
    assert "![Rows](data:image/png;base64," in text and "Gone" not in text


def test_the_shipped_cards_have_their_pictures() -> None:
    models = {model.name: model for model in installed_models()}
    for name in ("colorize", "digits"):
        card = models[name].card
        assert card is not None and "data:image" in card_text(card) and "](../" not in card_text(card)


def count(picture: Picture, label: int | None = None) -> tuple[File, Line]:
    """Count the <things> in a picture.

    Args:
        picture: A photograph.
        label: Of the things to count.

    Returns:
        map: Where they are.
        report: Their number.
    """
    return picture, {"label": label}


def test_an_endpoint_is_described_with_types_and_meanings() -> None:
    described = reference(describe(count))
    assert "<summary><b>/count</b> Count the &lt;things&gt; in a picture." in described
    assert "<dt><b>picture</b> filepath</dt><dd>A photograph.</dd>" in described
    assert "<dt><b>label</b> int | None</dt>" in described
    assert "<dt><b>map</b> filepath</dt><dd>Where they are.</dd>" in described
    assert "<dt><b>report</b> dict(str, Any)</dt><dd>Their number.</dd>" in described


def test_the_tab_shows_models_cards_and_endpoints(open_studio) -> None:
    page = open_studio()
    page.get_by_role("tab", name="Models").click()
    tab = page.locator("#models-tab")
    tab.get_by_role("heading", name="digits Random scrawls, for the tests").wait_for()
    tab.get_by_text("/restyle", exact=True).click()
    tab.get_by_text("A drawing or scan of one digit").wait_for()
    with page.expect_response("**/openapi.json") as answered:
        tab.get_by_role("link", name="in OpenAPI").click()
    assert answered.value.ok
