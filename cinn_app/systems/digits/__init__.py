"""Handwritten digits. Read first `model` (the flow and its likelihood), then `generator` (what people hold)."""
