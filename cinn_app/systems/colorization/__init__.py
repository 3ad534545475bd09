"""Colourings of gray photographs.

Read first `model` (the flow and its likelihood), then `colorizer` (what people hold); every other file is one thing
that a colouring can be asked for.
"""
