"""Learning-rate schedules: the factor of the learning rate after a share (0 to 1) of the decay steps."""

from math import cos, pi

SCHEDULES = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1.0 - share,
    # Loshchilov & Hutter 2016 (arXiv:1608.03983), eq. 5, without restarts
    "cosine": lambda share: 0.5 * (1 + cos(pi * share)),
}
