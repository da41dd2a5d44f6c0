"""From a photograph to ws: alignment, projection."""
