"""Data files: `hpcgen prepare` makes them, lanes read them."""
