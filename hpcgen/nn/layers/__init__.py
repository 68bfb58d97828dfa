"""Layers. Forward, backward and tangent are written by hand."""
