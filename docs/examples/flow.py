"""Your own model: a rectified flow (Liu et al. 2022, arXiv:2209.03003). own_model.py trains it."""

from math import prod

import numpy as np

from hpcgen.models.model import Model, ModelOptions, Preset
from hpcgen.models.units import Interval
from hpcgen.nn.chain import Chain
from hpcgen.nn.layers.dense import Dense
from hpcgen.streams import normal


class Flow(Model):  # A network learns the velocity that carries noise to samples along straight lines.
    NETWORKS = {"flow": Preset(ModelOptions)}
    players, turns, statistics = ("flow",), (("flow", 0),), {"flow": ("loss", "count")}

    def __init__(self, options, schema):
        super().__init__(options, schema)
        self.units, self.shape, self.size = Interval(schema, -1.0, 1.0), schema.shape, prod(schema.shape)
        hidden = Dense("in", self.size + 1, 256, slope=0.0)  # With a ReLU.
        self.networks = {"flow": Chain([hidden, Dense("out", 256, self.size)])}

    def noise(self, random, size):
        return normal(random, (size, self.size))

    def objective(self, player, theta, batch):
        target = batch.samples.reshape(batch.size, -1) - batch.noise
        t = batch.random(0).random((batch.size, 1), np.float32)
        x = np.hstack([batch.noise + t * target, t])
        velocity, backward = self.networks["flow"].forward(theta["flow"], x)
        error = velocity - target
        return {"loss": np.square(error).sum() / 2, "count": batch.size}, lambda grad: backward(error, grad)

    def sample(self, theta, batch):
        x, ones = batch.noise, np.ones((batch.size, 1), np.float32)
        for t in np.arange(0, 1, 1 / 16, np.float32):
            x = x + self.networks["flow"].forward(theta["flow"], np.hstack([x, t * ones]))[0] / 16
        return x.reshape(batch.size, *self.shape)
