"""Generative models: players and their gradients over one lane.

A model has `players`, trained in that order within a step, `layouts` (a `Layout` a player), `range` (the interval its
samples lie in) and

    initialize(player, theta, random)                                 fills a player's parameters and running statistics
    noise(random, count) -> (count, latent)                           what a lane's samples are made from
    gradient(player, theta, batch, noise, grad, kept, random)         writes sums over the lane into all of `grad`
    sample(theta, noise) -> (count, *sample_shape)

where theta maps each player to its `Vector`, `kept` is a dict that lives for one lane and one step, and random(i) is a stream
of the lane and the step. `NETWORKS` maps the names of its networks to the type of the [model] table and the preset's values.
"""

from hpcgen.models.gan import GAN
from hpcgen.models.vae import VAE

MODELS = {"gan": GAN, "vae": VAE}
