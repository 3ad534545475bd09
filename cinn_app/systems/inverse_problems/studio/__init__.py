"""The room of inverse problems: their tab, its charts, and the same for programs."""
