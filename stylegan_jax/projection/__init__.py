"""From a photograph to a model's ws, and back into the photograph."""
