"""A convolution that only adds to what is there."""

from torch import Tensor, nn

from cinn_app.nn.subnets import start_at_zero

__all__ = ["ResidualBlock"]


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(act(x))))``, the identity at the start; ``(batch, channels, height, width)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            start_at_zero(nn.Conv2d(channels, channels, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
