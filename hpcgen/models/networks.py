"""Networks by name: what a preset consists of, and the chain that it stands for."""

from dataclasses import dataclass

from hpcgen.nn.activations import ACTIVATIONS
from hpcgen.nn.chain import Chain
from hpcgen.nn.dense import Dense
from hpcgen.settings import setting


@dataclass(frozen=True)
class Perceptron:
    """Fully connected layers: the sizes of the hidden ones, and what follows each."""

    hidden: list[int] = setting(list, ge=1, le=1_000_000)
    activation: str = setting("relu", choices=ACTIVATIONS)

    def chain(self, inputs, outputs, output="linear"):
        """Return the `Chain` from (n, inputs) to (n, outputs), ended by the activation named `output`."""
        sizes = [inputs, *self.hidden, outputs]
        kinds = [self.activation] * len(self.hidden) + [output]
        layers = []
        for i, kind in enumerate(kinds):
            layers += [Dense(f"dense{i + 1}", sizes[i], sizes[i + 1]), ACTIVATIONS[kind]()]
        return Chain(layers)


@dataclass(frozen=True)
class Generator(Perceptron):
    """A perceptron that ends in samples; the last activation fixes the interval that they lie in."""

    output: str = setting("tanh", choices=("tanh", "sigmoid", "linear"))


# P stands for the numbers in one sample. seedgan: 100-128-P / P-128-1; mlpgan: 100-256-512-P / P-512-256-1.
GAN_PRESETS = {
    "seedgan": {
        "generator": {"hidden": [128], "activation": "relu", "output": "sigmoid"},
        "discriminator": {"hidden": [128], "activation": "relu"},
    },
    "mlpgan": {
        "generator": {"hidden": [256, 512], "activation": "relu", "output": "tanh"},
        "discriminator": {"hidden": [512, 256], "activation": "leaky-relu"},
    },
}
