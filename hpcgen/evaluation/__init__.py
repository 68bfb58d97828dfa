"""Measures of trained models. Each is shown next to the same measure of real data or of a closed form."""
