"""The gradient of a player as one Vector: derivatives, running statistics and statistics."""


def write_gradient(model, player, theta, batch, grad):
    """Write the sums over the batch into all of `grad`, as a step does for a lane."""
    statistics, backward = model.objective(player, theta, batch)
    backward(grad)
    for name, value in statistics.items():
        grad[name][...] = value
