"""A run: its folder, its steps, and the hooks between the steps."""
