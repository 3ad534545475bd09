"""Other ways to colour photographs, trained like ours. `colorization_baselines.py` measures them beside it."""
