"""Measures of trained models, each beside the same measure of real data or of a closed form."""
