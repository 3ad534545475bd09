"""The room that tells what is installed, and the same for programs."""
