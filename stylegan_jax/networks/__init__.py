"""The networks, and nothing else: no files, no seeds, no devices."""
