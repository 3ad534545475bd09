"""The room of photographs: their tab, its panels, and the same for programs."""
