"""Eight Gaussian modes on a ring, all with the same label: the measurement says nothing but noise."""

from cinn_app.systems.inverse_problems.problems.eight_modes import measured_label, names, prior

__all__ = ["LABELS", "names", "prior", "simulate"]

LABELS = (0, 0, 0, 0, 0, 0, 0, 0)

simulate = measured_label(LABELS)
