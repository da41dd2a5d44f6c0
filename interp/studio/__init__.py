"""The studio: a page on which α(r) is drawn with the mouse, and the server behind it."""
