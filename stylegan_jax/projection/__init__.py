"""From a photograph to a model's w, and back into the photograph."""
