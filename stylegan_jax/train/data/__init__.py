"""Training images: where they lie, their labels, their order."""
