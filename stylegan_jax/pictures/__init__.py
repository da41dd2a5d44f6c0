"""Images as files: pixels, encodings, names, folders, archives."""
