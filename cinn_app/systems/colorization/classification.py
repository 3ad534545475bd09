"""What a judge of pictures says of colourings, beside the truth and beside gray."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cinn_app.metrics.frechet import frechet_distance
from cinn_app.nn.classifier import Judge, imagenet_class

__all__ = ["Judging"]

#: A class counts as recognised among so many guesses.
GUESSES = 5


class Judging:
    """Shows the judge every picture in several ways, and sums up.

    Args:
        judge: from :func:`cinn_app.nn.classifier.load_judge`.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._features: dict[str, list[Tensor]] = {}
        self._recognised: dict[str, list[bool]] = {}

    def look(self, name: str, pictures: Mapping[str, Tensor]) -> None:
        """Show the judge one picture in several ways.

        Args:
            name: the picture's, in which its class may stand: see :func:`imagenet_class`.
            pictures: uint8 ``(height, width, 3)``, all of one size: ``"truth"``, ``"gray"`` and others.
        """
        features, scores = self.judge(torch.stack(list(pictures.values())))
        shown = imagenet_class(name)
        for way, feature, guesses in zip(pictures, features, scores.topk(GUESSES).indices, strict=True):
            self._features.setdefault(way, []).append(feature)
            if shown is not None:
                self._recognised.setdefault(way, []).append(shown in guesses.tolist())

    def figures(self) -> dict[str, float]:
        """Sum up; figures that the pictures do not suffice for are left out.

        * ``frechet_...``: Fréchet distance of the judge's features from those of the same pictures in truth;
        * ``top5_...``: share of the pictures of a known class that the judge recognises among its first five guesses;
        * ``top5_gap_...``: how much of what gray loses by that comes back, (x - gray) / (truth - gray);
        * ``pictures_of_known_class``: how many those are.
        """
        features = {way: torch.stack(seen) for way, seen in self._features.items()}
        truth = features.pop("truth", torch.empty(0))
        found = {f"frechet_{way}": frechet_distance(seen, truth) for way, seen in features.items() if len(truth) > 1}
        if not self._recognised:
            return found
        top5 = {way: sum(hits) / len(hits) for way, hits in self._recognised.items()}
        found |= {f"top5_{way}": share for way, share in top5.items()}
        gray, lost = top5["gray"], top5["truth"] - top5["gray"]
        if lost > 0:
            answers = top5.keys() - {"truth", "gray"}
            found |= {f"top5_gap_{way}": (top5[way] - gray) / lost for way in top5 if way in answers}
        return found | {"pictures_of_known_class": len(self._recognised["truth"])}
