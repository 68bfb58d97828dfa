"""Layers in sequence."""


class Chain:
    """A layer that runs layers one after the other; its backward runs their closures in reverse."""

    def __init__(self, layers):
        self.layers = list(layers)

    def parameters(self):
        return {name: shape for layer in self.layers for name, shape in layer.parameters().items()}

    def initialize(self, theta, random):
        for layer in self.layers:
            layer.initialize(theta, random)

    def forward(self, theta, x, train=True):
        backwards = []
        for layer in self.layers:
            x, backward = layer.forward(theta, x, train)
            backwards.append(backward)

        def backward(dy, grad=None, need_dx=True):
            for i in reversed(range(len(backwards))):
                dy = backwards[i](dy, grad, need_dx or i > 0)
            return dy

        return x, backward
