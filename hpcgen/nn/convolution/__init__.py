"""The forms in which convolutions are computed."""
