"""The encoder's frozen stem looks at every view once; training reads what it saw."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cinn_app.files import atomic_write
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.pack import shards_of

__all__ = ["cache_features", "feature_file"]


def feature_file(shard: Path, digest: str) -> Path:
    """Name the file in which a shard keeps what the stem of this digest saw."""
    return shard / f"stem-{digest}.npy"


def cache_features(
    pack: Path,
    encoder: ImageEncoder,
    device: torch.device,
    precision: torch.dtype = torch.float32,
    progress: Callable[[int], None] = lambda views: None,
    batch_size: int = 64,
) -> str:
    """Compute what the encoder's stem sees of every view in a pack, in float16, where it is not there yet.

    Args:
        pack: a folder made by :func:`cinn_app.systems.colorization.pack.make_pack`.
        encoder: whose stem looks.
        device: where the encoder runs.
        precision: of the encoder under autocast.
        progress: called with the number of views just dealt with.
        batch_size: views per call of the encoder.

    Returns:
        The digest of the stem's weights, which is in the names of the files it made.
    """
    digest = _weights_digest(encoder.stem)
    encoder = encoder.to(device)
    for shard in shards_of(pack):
        lightness = np.load(shard / "lightness.npy", mmap_mode="r")
        if not feature_file(shard, digest).exists():
            with atomic_write(feature_file(shard, digest)) as file:
                np.save(file, _features_of(lightness, encoder, device, precision, batch_size))
        progress(len(lightness))
    return digest


def _features_of(
    lightness: np.ndarray,
    encoder: ImageEncoder,
    device: torch.device,
    precision: torch.dtype,
    batch_size: int,
) -> np.ndarray:
    batches = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, precision is torch.bfloat16):
        for start in range(0, len(lightness), batch_size):
            batch = torch.from_numpy(np.array(lightness[start : start + batch_size])).to(device) / 2.55
            batches.append(encoder.stem_features(batch).to("cpu", torch.float16).contiguous())
    return torch.cat(batches).numpy()


def _weights_digest(stem: nn.Module) -> str:
    digest = hashlib.sha256()
    for value in stem.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
