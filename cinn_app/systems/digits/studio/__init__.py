"""The room of handwritten digits: their tab, its panels, and the same for programs."""
