"""Models by address: fetched once, checked, kept in the user's cache."""
