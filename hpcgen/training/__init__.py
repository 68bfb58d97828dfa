"""A run: its folder, its steps, and what happens between them."""
