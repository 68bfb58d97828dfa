"""Methods of computing convolutions."""
