"""Train generative models in parallel across MPI ranks."""

__version__ = "0.1.0"
