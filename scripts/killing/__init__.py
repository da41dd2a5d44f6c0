"""Commands that are killed in the middle of a write."""
