"""Thin doors: what a user types becomes calls of the rooms below."""
