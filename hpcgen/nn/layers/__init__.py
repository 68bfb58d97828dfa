"""Layers: forward, backward and tangent by hand."""
