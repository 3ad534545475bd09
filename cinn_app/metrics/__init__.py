"""Figures that say how good colourings are. Plain functions on tensors; they know no model."""
