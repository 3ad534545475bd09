"""Normalizing flows: bijections, their composition, and the distributions they make; depends on torch alone.

Read :mod:`~cinn_app.flows.base` first, the interface of all blocks, then :mod:`~cinn_app.flows.composition`,
:mod:`~cinn_app.flows.couplings` and :mod:`~cinn_app.flows.distributions`. The other files are more blocks.
"""

from cinn_app.flows.autoregressive import MixtureAutoregression
from cinn_app.flows.base import Bijection, Condition, FlowError, Latent, LatentShape, Shape, ShapeError
from cinn_app.flows.composition import Chain, Conditioned, Inverse, Split, Triangular
from cinn_app.flows.couplings import (
    AdditiveCoupling,
    AdditiveCouplingPair,
    AffineCoupling,
    AffineCouplingPair,
    ConditionalAffine,
    Coupling,
    CouplingPair,
)
from cinn_app.flows.distributions import (
    FlowDistribution,
    NormalizingFlow,
    Temperature,
    standard_normal_log_prob,
)
from cinn_app.flows.elementwise import ActNorm, Logit
from cinn_app.flows.linear import LULinear, OrthogonalMixing, Permutation, random_orthogonal
from cinn_app.flows.numerics import Subnet, soft_clamp
from cinn_app.flows.pyramid import HaarPyramid
from cinn_app.flows.reshaping import Flatten, HaarDownsampling, Squeeze, ZeroPadding
from cinn_app.flows.span import SpanFirst, SpanPyramid
from cinn_app.flows.splines import ConditionalSpline, SplineCoupling, SplineCouplingPair

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AdditiveCouplingPair",
    "AffineCoupling",
    "AffineCouplingPair",
    "Bijection",
    "Chain",
    "Condition",
    "ConditionalAffine",
    "ConditionalSpline",
    "Conditioned",
    "Coupling",
    "CouplingPair",
    "Flatten",
    "FlowDistribution",
    "FlowError",
    "HaarDownsampling",
    "HaarPyramid",
    "Inverse",
    "LULinear",
    "Latent",
    "LatentShape",
    "Logit",
    "MixtureAutoregression",
    "NormalizingFlow",
    "OrthogonalMixing",
    "Permutation",
    "Shape",
    "ShapeError",
    "SpanFirst",
    "SpanPyramid",
    "SplineCoupling",
    "SplineCouplingPair",
    "Split",
    "Squeeze",
    "Subnet",
    "Temperature",
    "Triangular",
    "ZeroPadding",
    "random_orthogonal",
    "soft_clamp",
    "standard_normal_log_prob",
]
