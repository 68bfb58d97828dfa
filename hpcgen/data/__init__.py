"""Data files. `hpcgen prepare` makes them, and lanes read them."""
