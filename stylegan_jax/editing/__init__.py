"""Moving w: directions, how they are found, and edits along them."""
