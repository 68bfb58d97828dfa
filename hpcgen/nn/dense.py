"""Fully connected layer."""

import numpy as np


class Dense:
    """y = x W + b, with x (n, inputs), W (inputs, outputs) and b (outputs,).

    W is the transpose of PyTorch's `Linear.weight` and ONNX's Gemm with transB=0. Both start uniform in +-1/sqrt(inputs),
    PyTorch's default (He et al. 2015, arXiv:1502.01852, eq. 14, with a = sqrt(5)).
    """

    def __init__(self, name, inputs, outputs):
        self.weight, self.bias = f"{name}/weight", f"{name}/bias"
        self.inputs, self.outputs = inputs, outputs

    def parameters(self):
        return {self.weight: (self.inputs, self.outputs), self.bias: (self.outputs,)}

    def initialize(self, theta, random):
        bound = self.inputs**-0.5
        for name in self.parameters():
            theta[name][...] = random.uniform(-bound, bound, theta[name].shape)

    def forward(self, theta, x, train=True):
        weight = theta[self.weight]
        y = x @ weight
        y += theta[self.bias]

        def backward(dy, grad=None, need_dx=True):
            if grad is not None:
                np.matmul(x.T, dy, out=grad[self.weight])
                np.sum(dy, axis=0, out=grad[self.bias])
            return dy @ weight.T if need_dx else None

        return y, backward
