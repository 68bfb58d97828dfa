"""Generative models: players and their gradients over one lane.

A model is made from its options and the data's schema; it raises InputError where these do not suit each other. It has
`players`, `turns` (the players of a step in order, each with the number of the batch that it takes), `layouts` (a `Layout` a
player), `units` (which encodes the data's samples for the model and decodes the model's) and

    initialize(player, theta, random)                 fills a player's parameters and running statistics
    noise(random, size)                               what a batch's samples are made from, an array of float32
    gradient(player, theta, batch, grad)              writes sums over the batch into all of `grad`
    sample(theta, batch) -> (size, *sample_shape)     in the model's units

where theta maps each player to its `Vector` and batch is a `Batch`. `NETWORKS` maps the names of its networks to the type of
the [model] table and the preset's values.
"""

from hpcgen.models.gan import GAN
from hpcgen.models.vae import VAE

MODELS = {"gan": GAN, "vae": VAE}
