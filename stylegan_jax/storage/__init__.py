"""Models and outputs on disk and elsewhere: whole or not at all."""
