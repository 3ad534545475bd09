"""Pictures to try the program on: those that scikit-image carries in its own package, all free of rights."""


__all__ = ["sample_photographs"]

# Name, file, and what its source says of the rights (scikit-image, data/README.txt and the docstrings of data).
