"""How good and how alike images are, in numbers."""
