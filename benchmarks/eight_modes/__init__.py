"""Parts of `inverse_modes.py`: who competes on the eight modes, how they are trained, measured and drawn."""
