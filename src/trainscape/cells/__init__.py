"""A study -> its cells, and what each is known by."""
