"""A frozen encoder looks at every view once; training reads what it saw."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cinn_app.data.pack import shards_of
from cinn_app.files import atomic_write

__all__ = ["cache_features", "feature_files"]


def feature_files(shard: Path, digest: str) -> list[Path]:
    """List a shard's feature files, one per stride, fine to coarse, made by the encoder of this digest."""
    return sorted(shard.glob(f"features-{digest}-*.npy"))


def cache_features(
    pack: Path,
    encoder: nn.Module,
    device: torch.device,
    autocast_dtype: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda views: None,
    batch_size: int = 64,
) -> str:
    """Compute the encoder's features of every view in a pack, in float16, where they are not there yet.

    Args:
        pack: a folder made by :func:`cinn_app.data.pack.make_pack`.
        encoder: maps lightness ``(batch, 1, size, size)`` in 0..100 to one tensor per stride.
        device: where the encoder runs.
        autocast_dtype: reduced precision for the encoder, or ``None``.
        progress: called with the number of views just dealt with.
        batch_size: views per call of the encoder.

    Returns:
        The digest of the encoder's weights, which is in the names of the files it made.
    """
    digest = _weights_digest(encoder)
    encoder = encoder.to(device).to(memory_format=torch.channels_last).eval()
    for shard in shards_of(pack):
        lightness = np.load(shard / "lightness.npy", mmap_mode="r")
        if not (shard / f"features-{digest}-0.npy").exists():
            levels = _features_of(lightness, encoder, device, autocast_dtype, batch_size)
            # The finest is written last: where it is, all are.
            for level in reversed(range(len(levels))):
                with atomic_write(shard / f"features-{digest}-{level}.npy") as file:
                    np.save(file, levels[level])
        progress(len(lightness))
    return digest


def _features_of(
    lightness: np.ndarray,
    encoder: nn.Module,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    batch_size: int,
) -> list[np.ndarray]:
    batches: list[tuple[Tensor, ...]] = []
    with torch.inference_mode(), torch.autocast(device.type, autocast_dtype, autocast_dtype is not None):
        for start in range(0, len(lightness), batch_size):
            batch = torch.from_numpy(np.array(lightness[start : start + batch_size])).to(device) / 2.55
            batches.append(tuple(level.to("cpu", torch.float16) for level in encoder(batch)))
    return [torch.cat(level).numpy() for level in zip(*batches, strict=True)]


def _weights_digest(encoder: nn.Module) -> str:
    digest = hashlib.sha256()
    for value in encoder.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
