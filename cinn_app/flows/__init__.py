"""Bijections and their algebra; knows torch and nothing else.

Read first :mod:`~cinn_app.flows.base` (the one interface), then :mod:`~cinn_app.flows.chain` and
:mod:`~cinn_app.flows.coupling`; every other file is one idea more.
"""

from cinn_app.flows.actnorm import ActNorm
from cinn_app.flows.base import Bijection, Condition, Latent
from cinn_app.flows.chain import Chain, Inverse
from cinn_app.flows.conditional_affine import ConditionalAffine
from cinn_app.flows.conditioned import Conditioned
from cinn_app.flows.coupling import AdditiveCoupling, AdditiveCouplingPair, AffineCoupling, AffineCouplingPair
from cinn_app.flows.factor_out import FactorOut
from cinn_app.flows.flatten import Flatten
from cinn_app.flows.flow import NormalizingFlow, Temperature, standard_normal_log_prob
from cinn_app.flows.haar import HaarDownsampling, Squeeze
from cinn_app.flows.logit import Logit
from cinn_app.flows.mixing import InvertibleLinear, OrthogonalMixing, Permutation
from cinn_app.flows.numerics import Subnet, soft_clamp
from cinn_app.flows.padding import ZeroPadding
from cinn_app.flows.pyramid import HaarPyramid
from cinn_app.flows.shapes import ShapeError
from cinn_app.flows.spline import SplineCoupling
from cinn_app.flows.triangular import Triangular

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
    "Conditioned",
    "FactorOut",
    "Flatten",
    "HaarDownsampling",
    "HaarPyramid",
    "Inverse",
    "InvertibleLinear",
    "Latent",
    "Logit",
    "NormalizingFlow",
    "OrthogonalMixing",
    "Permutation",
    "ShapeError",
    "SplineCoupling",
    "Squeeze",
    "Subnet",
    "Temperature",
    "Triangular",
    "ZeroPadding",
    "soft_clamp",
    "standard_normal_log_prob",
]
