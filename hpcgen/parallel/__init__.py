"""Ownership of data by ranks, agreement on errors, and exchange of gradients."""
