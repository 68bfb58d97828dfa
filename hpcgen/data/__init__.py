"""Data files: made once from what people have, read by lanes."""
