"""Eight Gaussian modes on a ring: four share a label, two share another, and two have their own."""

from cinn_app.systems.inverse_problems.problems.eight_modes import measured_label, names, prior

__all__ = ["LABELS", "names", "prior", "simulate"]

LABELS = (0, 0, 0, 0, 1, 1, 2, 3)

simulate = measured_label(LABELS)
