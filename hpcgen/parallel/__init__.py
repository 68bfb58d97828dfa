"""Who owns what, and how ranks tell each other: arithmetic of ownership, agreement on errors, exchange of
gradients."""
