"""Bytes that nobody trusts, read without running any of them, and written by hand."""
