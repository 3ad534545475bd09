"""How real colourings look to an image classifier, compared with the true colours and with gray."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cinn_app.metrics.frechet import frechet_distance
from cinn_app.nn.efficientnet import Classifier, imagenet_class

__all__ = ["ClassifierMetrics"]

#: A class counts as recognised if it is among this many most probable ones.
TOP = 5


class ClassifierMetrics:
    """Classifies several versions of each picture, and summarises the predictions.

    Args:
        classifier: from :func:`cinn_app.nn.efficientnet.load_classifier`.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._features: dict[str, list[Tensor]] = {}
        self._recognised: dict[str, list[bool]] = {}

    def update(self, name: str, versions: Mapping[str, Tensor]) -> None:
        """Classify the versions of one picture.

        Args:
            name: the picture's, which may contain its class: see :func:`imagenet_class`.
            versions: uint8 ``(height, width, 3)``, all of one size: ``"truth"``, ``"gray"`` and others.
        """
        features, logits = self.classifier(torch.stack(list(versions.values())))
        true_class = imagenet_class(name)
        for version, feature, top in zip(versions, features, logits.topk(TOP).indices, strict=True):
            self._features.setdefault(version, []).append(feature)
            if true_class is not None:
                self._recognised.setdefault(version, []).append(true_class in top.tolist())

    def compute(self) -> dict[str, float]:
        """Return the figures for which there are enough pictures.

        * ``frechet_...``: Fréchet distance of the classifier's features from those of the true pictures;
        * ``top5_...``: top-5 accuracy, over the pictures of a known class;
        * ``top5_gap_...``: the share of the accuracy lost by gray that is regained, (x - gray) / (truth - gray);
        * ``pictures_of_known_class``: the number of those pictures.
        """
        features = {version: torch.stack(rows) for version, rows in self._features.items()}
        truth = features.pop("truth", torch.empty(0))
        figures = {
            f"frechet_{version}": frechet_distance(x, truth) for version, x in features.items() if len(truth) > 1
        }
        if not self._recognised:
            return figures
        top5 = {version: sum(hits) / len(hits) for version, hits in self._recognised.items()}
        figures |= {f"top5_{version}": accuracy for version, accuracy in top5.items()}
        gap = top5["truth"] - top5["gray"]
        if gap > 0:
            others = [version for version in top5 if version not in ("truth", "gray")]
            figures |= {f"top5_gap_{version}": (top5[version] - top5["gray"]) / gap for version in others}
        return figures | {"pictures_of_known_class": len(self._recognised["truth"])}
