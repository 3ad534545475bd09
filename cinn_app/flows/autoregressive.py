"""A flow whose every value has a mixture of normal distributions, given the values before it and the condition."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.special import ndtr, ndtri

from cinn_app.flows.base import Bijection, Condition, LatentShape, Shape, ShapeError, require_condition
from cinn_app.flows.numerics import Subnet, run_network, soft_clamp, widest, without_autocast

__all__ = ["MixtureAutoregression"]

#: How far from an interval the mean of a component may lie, in its deviations, so that some of its mass is inside.
REACH = 3.0
#: Stands for infinity, whose gradients would not be numbers, and which no checkpoint holds.
FAR = 1e12
#: Beyond so many deviations a normal distribution has no mass that counts.
FARTHEST = 12.0
#: Bound of the log-deviations, in units of those of the regression.
CLAMP = 8.0
#: Variance of the components' means at the start; their own is the rest, so that the mixture's is 1.
SPREAD = 0.5
#: Steps that find a value from its latent: Newton's, or a halving of the bracket where that would leave it.
MAX_STEPS = 60


class MixtureAutoregression(Bijection):
    r"""Each value to its normal score, given the ones before: :math:`z_i = \Phi^{-1}(F_i(x_i \mid x_{<i}, c))`.

    * inverse: :math:`x_i = F_i^{-1}(\Phi(z_i) \mid x_{<i}, c)`, one value after the other, by Newton steps;
    * log-determinant: the sum of :math:`\log F_i'(x_i) - \log \varphi(z_i)`.

    :math:`F_i` is the distribution of a mixture around a linear regression,

    .. math::
        u_i = \frac{x_i - w_i^\top (x_{<i}, c) - b_i}{s_i}, \quad
        F_i(x_i) \propto \sum_k \pi_{ik} \, \Phi\!\left(\frac{u_i - \mu_{ik}}{\sigma_{ik}}\right), \quad
        (\pi, \mu, \sigma)_i = f_i(x_{<i}, u_{<i}, c),

    and cut at the ends of the interval of :math:`x_i`, if it has one: so no density leaves the intervals, and a density
    that is cut there needs no steep map. :meth:`fit` sets regression and intervals from data; without it the
    regression is zero, and the map is close to the identity. The residuals :math:`u` tell the networks how far a value
    is from its expectation, however narrow the density is.

    Autoregressive flows and mixtures: Papamakarios et al. 2021 (arXiv 1912.02762), section 3.1; MADE with mixtures of
    Gaussians, Germain et al. 2015 (arXiv 1502.03509) and Papamakarios et al. 2017 (arXiv 1705.07057).

    Args:
        channels: D, those of ``x`` of shape ``(batch, D)``.
        subnet: builds :math:`f_i`: ``subnet(in_channels, 3 * components)``, which returns first the logarithms of all
            weights, then the means, then the log-deviations; zeros are the start.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels)``; 0 ignores any condition.
        components: K of each mixture.
        order: the channels in the order in which they are decided; 0 to D - 1 by default.

    Raises:
        ShapeError: if there is no component, or the order does not name each channel once.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import MixtureAutoregression
        >>> flow = MixtureAutoregression(2, nn.Linear, condition_channels=3)
        >>> condition = torch.randn(500, 3)
        >>> x = condition[:, :2].sigmoid()
        >>> flow.fit(x, condition, low=torch.zeros(2), high=torch.ones(2))
        >>> made = flow.inverse(torch.randn(500, 2), condition)[0]
        >>> bool(((made >= 0) & (made <= 1)).all())
        True
    """

    channels: int
    low: Tensor
    high: Tensor
    offsets: Tensor

    def __init__(
        self,
        channels: int,
        subnet: Subnet,
        condition_channels: int = 0,
        components: int = 8,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        order = list(range(channels) if order is None else order)
        if components < 1 or sorted(order) != list(range(channels)):
            raise ShapeError(
                "A mixture autoregression of {channels} channels was given {components} components and the order "
                "{order}; give it at least 1 component, and each channel once.",
                channels=channels,
                components=components,
                order=order,
            )
        self.channels, self.condition_channels, self.components = channels, condition_channels, components
        self.order = order
        self._places = [order.index(channel) for channel in range(channels)]
        self.register_buffer("low", torch.full((channels,), -FAR))
        self.register_buffer("high", torch.full((channels,), FAR))
        offsets = torch.linspace(-1, 1, components) if components > 1 else torch.zeros(1)
        offsets *= math.sqrt(SPREAD) / offsets.square().mean().sqrt().clamp(min=1e-6)
        self.register_buffer("offsets", offsets, persistent=False)
        # Of both, row i has the values before i and the condition; the rest is never used.
        self.weight = nn.Parameter(torch.zeros(channels, channels + condition_channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        # The first value has no other before it: where there is no condition, its network sees a zero.
        self.subnets = nn.ModuleList(
            subnet(max(1, 2 * i + condition_channels), 3 * components) for i in range(channels)
        )

    @torch.no_grad()
    def fit(
        self, x: Tensor, condition: Condition = None, *, low: Tensor | None = None, high: Tensor | None = None
    ) -> None:
        """Set the regressions by least squares, and the intervals.

        Args:
            x: data, ``(n, D)``.
            condition: of the data, ``(n, condition_channels)``.
            low, high: ends of the intervals, ``(D,)``; infinite where there are none, as by default.
        """
        for buffer, given in ((self.low, low), (self.high, high)):
            if given is not None:
                buffer.copy_(given.clamp(-FAR, FAR))
        x = self._data(x)[:, self.order].double()
        c = self._condition(condition, x).double()
        one = torch.ones_like(x[:, :1])
        self.weight.zero_()
        for i in range(self.channels):
            features = torch.cat([x[:, :i], c, one], dim=1)
            ridge = 1e-6 * len(x) * torch.eye(features.shape[1], dtype=x.dtype, device=x.device)
            solution = torch.linalg.solve(features.T @ features + ridge, features.T @ x[:, i])
            self.weight[i, :i] = solution[:i].to(self.weight)
            self.weight[i, self.channels :] = solution[i:-1].to(self.weight)
            self.bias[i] = solution[-1]
            residual = x[:, i] - features @ solution
            self.log_scale[i] = residual.square().mean().sqrt().clamp(min=1e-6).log()

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        mixture, u, log_scale = self._mixture_of(x, condition)
        with without_autocast(u):
            z = mixture.scores(u)
            log_det = mixture.log_density(u) - log_scale[:, None] - _log_normal(z)
        return z.T[:, self._places], log_det.sum(0)

    def log_prob(self, x: Tensor, condition: Condition = None) -> Tensor:
        """Return the log-density of ``x`` if ``z`` is standard normal, ``(batch,)``.

        It is what the latents and the log-determinant of :meth:`forward` give, without computing them.
        """
        mixture, u, log_scale = self._mixture_of(x, condition)
        with without_autocast(u):
            return (mixture.log_density(u) - log_scale[:, None]).sum(0)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        log_det = z.new_zeros(len(z))

        def value(mixture: _Mixture, z: Tensor, log_scale: Tensor) -> Tensor:
            nonlocal log_det
            found = mixture.values(z)
            log_det = log_det - mixture.log_density(found) + log_scale + _log_normal(z)
            return found

        return self._one_after_the_other(z, condition, value), log_det

    def draw(self, z: Tensor, condition: Condition = None) -> Tensor:
        """Return ``x`` that is distributed as that of :meth:`inverse` if ``z`` is standard normal, in less time.

        A latent chooses a component of its value's mixture, and a place in it, so no equation has to be solved. The
        same ``z`` gives another ``x`` than :meth:`inverse`, and the map is not continuous.

        Args:
            z: ``(batch, D)``.
            condition: ``(batch, condition_channels)``.
        """
        return self._one_after_the_other(z, condition, lambda mixture, z, _: mixture.draws(z))

    def _one_after_the_other(
        self, z: Tensor, condition: Condition, value: Callable[["_Mixture", Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Find each value, ``(batch,)``, from its mixture, its latent and the log-scale of its residuals."""
        z = self._latent(z)[:, self.order]
        c = self._condition(condition, z)
        x, u = z[:, :0], z[:, :0]
        for i in range(self.channels):
            raw = self._raw(i, x, u, c)
            with without_autocast(z):
                mean = self._regression(functional.pad(x, (0, self.channels - i)), c)[:, i]
                log_scale = self.log_scale[i].to(z.dtype)
                low, high = self._interval(self.order[i], z)
                mixture = self._mixture(raw.T, (low - mean) / log_scale.exp(), (high - mean) / log_scale.exp())
                found = value(mixture, z[:, i], log_scale)
                u = torch.cat([u, found[:, None]], dim=1)
                made = (mean + log_scale.exp() * found).clamp(low, high)
                x = torch.cat([x, made[:, None]], dim=1)
        return x[:, self._places]

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        if len(event_shape) != 1:
            raise ShapeError(
                "A mixture autoregression was given values of shape {given} where ({channels},) is needed; flatten "
                "them.",
                given=event_shape,
                channels=self.channels,
            )
        return super().latent_shape(event_shape)

    def _mixture_of(self, x: Tensor, condition: Condition) -> tuple["_Mixture", Tensor, Tensor]:
        """Return the mixtures of all values, the values' residuals, ``(D, batch)``, and the log-scales of those."""
        x = self._data(x)[:, self.order]
        c = self._condition(condition, x)
        with without_autocast(x):
            mean, log_scale = self._regression(x, c), self.log_scale.to(x.dtype)
            scale = log_scale.exp()
            u = (x - mean) / scale
        raw = torch.stack([self._raw(i, x[:, :i], u[:, :i], c).T for i in range(self.channels)], dim=1)
        with without_autocast(x):
            low, high = self._interval(self.order, x)
            return self._mixture(raw, ((low - mean) / scale).T, ((high - mean) / scale).T), u.T, log_scale

    def _regression(self, x: Tensor, c: Tensor) -> Tensor:
        """Return what the regressions expect, ``(batch, D)``; each reads only the values before its own."""
        weight = torch.cat([self.weight[:, : self.channels].tril(-1), self.weight[:, self.channels :]], dim=1)
        return functional.linear(torch.cat([x, c], dim=1), weight.to(x.dtype), self.bias.to(x.dtype))

    def _interval(self, channels: int | list[int], like: Tensor) -> tuple[Tensor, Tensor]:
        return self.low[channels].to(like.dtype).clamp(min=-FAR), self.high[channels].to(like.dtype).clamp(max=FAR)

    def _raw(self, i: int, before: Tensor, residuals: Tensor, c: Tensor) -> Tensor:
        """Return the network's output for value ``i``: ``(batch, 3 * components)``."""
        features = torch.cat([before, residuals, c], dim=1)
        if not features.shape[1]:
            features = before.new_zeros(len(before), 1)
        if i > 0 or torch.is_grad_enabled():
            output = run_network(self.subnets[i], features)
        else:  # the first value depends on the condition alone, which many draws in a row may share
            first = functional.pad((features[1:] != features[:-1]).any(1), (1, 0), value=True)[: len(features)]
            output = run_network(self.subnets[i], features[first])[first.cumsum(0) - 1]
        if output.shape != (len(before), 3 * self.components):
            raise ShapeError(
                "A subnet returned shape {given} where {needed} is needed; let it return as many values as it was "
                "built for.",
                given=tuple(output.shape),
                needed=(len(before), 3 * self.components),
            )
        return output.to(before.dtype)

    def _mixture(self, raw: Tensor, low: Tensor, high: Tensor) -> "_Mixture":
        """Return the mixtures of raw numbers ``(3 * components, ...)``, between ``low`` and ``high`` ``(...,)``."""
        weights, means, log_deviations = raw.contiguous().unflatten(0, (3, self.components))
        start = math.log(1 - SPREAD) / 2 if self.components > 1 else 0.0
        log_deviations = start + soft_clamp(log_deviations * (math.pi / 2 / CLAMP), CLAMP)
        offsets = self.offsets.to(raw.dtype).reshape(-1, *[1] * low.dim())
        means, reach = means + offsets, REACH * log_deviations.exp()
        means = torch.minimum(torch.maximum(means, low - reach), high + reach)
        return _Mixture.of(weights.log_softmax(0), means, log_deviations, low, high)

    def _condition(self, condition: Condition, x: Tensor) -> Tensor:
        return require_condition(condition, self.condition_channels, x) if self.condition_channels else x[:, :0]

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, condition_channels={self.condition_channels}, components={self.components}, "
            f"order={self.order}"
        )


class _Mixture(NamedTuple):
    """Mixtures of normal distributions, ``(K, ...)`` each, cut at ``low`` and ``high``, ``(...,)``.

    Of each component ``below`` and ``above`` are the shares of its mass on either side of the interval; of the mixture
    ``mass`` is the share inside.
    """

    log_weights: Tensor
    means: Tensor
    log_deviations: Tensor
    low: Tensor
    high: Tensor
    below: Tensor
    above: Tensor
    mass: Tensor

    @classmethod
    def of(cls, log_weights: Tensor, means: Tensor, log_deviations: Tensor, low: Tensor, high: Tensor) -> "_Mixture":
        """Return the mixtures with the shares of their masses."""
        scales = (-log_deviations).exp()
        # Far ends count as those where nothing is left, since the exponentials of larger numbers are slow.
        at_low, at_high = ((low - means) * scales).clamp(min=-FARTHEST), ((high - means) * scales).clamp(max=FARTHEST)
        below, above = ndtr(at_low), ndtr(-at_high)
        # Where both ends are above the mean, the other tails have the more exact digits.
        inside = torch.where(at_low > 0, ndtr(-at_low) - above, ndtr(at_high) - below)
        mass = (log_weights.exp() * inside).sum(0)
        return cls(log_weights, means, log_deviations, low, high, below, above, mass)

    def log_density(self, u: Tensor) -> Tensor:
        """Return the log-densities at ``u``, of shape ``(...,)`` as all that follows."""
        parts = self.log_weights - self.log_deviations - self._standardised(u).square() / 2
        return parts.logsumexp(0) - math.log(2 * math.pi) / 2 - self.mass.log()

    def scores(self, u: Tensor) -> Tensor:
        """Return the normal scores of ``u``."""
        t, weights = self._standardised(u), self.log_weights.exp()
        below = (weights * (ndtr(t) - self.below)).sum(0) / self.mass
        above = (weights * (ndtr(-t) - self.above)).sum(0) / self.mass
        smallest = torch.finfo(u.dtype).tiny
        # The smaller of the two shares has the more exact digits.
        return torch.where(below < above, ndtri(below.clamp(smallest, 0.5)), -ndtri(above.clamp(smallest, 0.5)))

    def values(self, z: Tensor) -> Tensor:
        """Return the values whose normal scores are ``z``. Gradients are those of the exact solution."""
        with torch.no_grad():
            u = self._solve(z)
        if not torch.is_grad_enabled():
            return u
        reached = self.scores(u)
        # A Newton step has the solution's gradient.
        step = (z - reached) / self._slope(u, reached).detach().clamp(min=1e-6)
        return u + (step - step.detach())

    def draws(self, z: Tensor) -> Tensor:
        """Return draws of the mixtures, as latents ``z`` choose them."""
        ends = (self.log_weights.exp() * (1 - self.below - self.above)).cumsum(0)
        uniform = ndtr(widest(z)) * ends[-1]
        chosen = (uniform.to(ends.dtype) > ends[:-1]).sum(0, keepdim=True)
        end, below, above, mean, log_deviation, log_weight = (
            part.gather(0, chosen).squeeze(0)
            for part in (ends, self.below, self.above, self.means, self.log_deviations, self.log_weights)
        )
        inside = 1 - widest(below) - above
        place = 1 - ((end - uniform) / (log_weight.exp() * inside)).clamp(0, 1)
        lower, upper = below + place * inside, above + (1 - place) * inside
        # The smaller of the two shares has the more exact digits.
        t = torch.where(lower < upper, ndtri(lower), -ndtri(upper)).to(z.dtype)
        return torch.minimum(torch.maximum(mean + log_deviation.exp() * t, self.low), self.high)

    def _solve(self, z: Tensor) -> Tensor:
        """Find the values, of shape ``(batch,)``: Newton's steps on the scores, kept inside a bracket that shrinks."""
        upper = z > 0  # as a lower tail it has exact digits
        u = self._mirrored(upper)._solve_lower(-z.abs())
        return torch.where(upper, -u, u)

    def _mirrored(self, rows: Tensor) -> "_Mixture":
        """Return the mixtures of the negative values where ``rows``, ``(batch,)``, is true."""
        return self._replace(
            means=torch.where(rows, -self.means, self.means),
            low=torch.where(rows, -self.high, self.low),
            high=torch.where(rows, -self.low, self.high),
            below=torch.where(rows, self.above, self.below),
            above=torch.where(rows, self.below, self.above),
        )

    def _solve_lower(self, z: Tensor) -> Tensor:
        """Do the same for scores that are not positive."""
        deviations, weights, scales = self.log_deviations.exp(), self.log_weights.exp(), (-self.log_deviations).exp()
        # Of a mixture's mass at least that of REACH + 1 deviations is inside, so no value is farther from all means.
        reach = deviations * (z.abs() + REACH + 1)
        low = torch.maximum(self.low, (self.means - reach).amin(0))
        high = torch.minimum(self.high, (self.means + reach).amax(0))
        guess = (weights * (self.means + deviations * z)).sum(0)
        u = now = torch.minimum(torch.maximum(guess, low), high)
        means, below, mass = self.means, self.below, self.mass
        going = torch.arange(len(u), device=u.device)
        smallest, largest = torch.finfo(u.dtype).tiny, 1 - torch.finfo(u.dtype).eps
        # The error after one of Newton's steps is of the order of its square, in units of the narrowest deviation.
        small = torch.finfo(u.dtype).eps ** 0.5 * deviations.amin(0)
        for _ in range(MAX_STEPS):
            t = (now - means) * scales
            share = ((weights * (ndtr(t) - below)).sum(0) / mass).clamp(smallest, largest)
            density = (weights * scales * (-t.square() / 2).exp()).sum(0) / mass
            reached = ndtri(share)
            low, high = torch.where(reached <= z, now, low), torch.where(reached >= z, now, high)
            new = now - (reached - z) * (-reached.square() / 2).exp() / density
            newton = (new > low) & (new < high)
            new = torch.where(newton, new, (low + high) / 2)
            exact = 4 * torch.finfo(u.dtype).eps * (1 + new.abs())
            moves = (new - now).abs() > torch.where(newton, exact.maximum(small), exact)
            now = new
            left = int(moves.sum())
            if left == 0:
                break
            if 2 * left < len(moves):  # to leave out what has been found takes time, too
                u[going] = now
                parts = (going, z, low, high, now, small, means, scales, weights, below, mass)
                kept = [part[..., moves] for part in parts]
                going, z, low, high, now, small, means, scales, weights, below, mass = kept
        u[going] = now
        return u

    def _slope(self, u: Tensor, z: Tensor) -> Tensor:
        """Return the slopes of the scores at ``u``, where they are ``z``."""
        return (self.log_density(u) - _log_normal(z)).exp()

    def _standardised(self, u: Tensor) -> Tensor:
        return (u - self.means) * (-self.log_deviations).exp()


def _log_normal(z: Tensor) -> Tensor:
    return -z.square() / 2 - math.log(2 * math.pi) / 2
