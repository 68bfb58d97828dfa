"""A player's parameters, and its gradient as one Vector: derivatives, running statistics and statistics."""

import numpy as np

from hpcgen.nn.vector import Vector


def initialized(model, random, dtype=np.float64):
    """Return a theta with the starting values of each player."""
    theta = {player: Vector(model.layouts[player].state(), dtype=dtype) for player in model.players}
    for player in model.players:
        model.initialize(player, theta[player], random)
    return theta


def write_gradient(model, player, theta, batch, grad):
    """Write the sums over the batch into all of `grad`, as a step does for a lane."""
    statistics, backward = model.objective(player, theta, batch)
    backward(grad)
    for name, value in statistics.items():
        grad[name][...] = value
