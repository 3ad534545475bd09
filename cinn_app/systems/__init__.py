"""One folder per system: its model on tensors, the class that people hold, and how it is measured."""
