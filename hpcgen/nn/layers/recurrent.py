"""Recurrent layers: they map sequences x (n, time, features) to hidden states (n, time, hidden).

With G gates, the weights are W (features, G hidden) for the input and U (hidden, G hidden) for the state,
each with a bias. They are PyTorch's weight_ih_l0 and weight_hh_l0, transposed, and bias_ih_l0 and bias_hh_l0,
with the gates in PyTorch's order. The product with W, and the products for the derivatives of the weights,
are computed once for all time steps.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.functions import sigmoid
from hpcgen.nn.initial import fill
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, Train
from hpcgen.nn.vector import Vector

# What a layer carries from one time step to the next, the hidden state first, and the closure of a step.
State = tuple[Array, ...]
Back = Callable[[State], tuple[Array, Array, State]]


class Recurrent(Layer):
    """Base class of recurrent layers. A subclass defines `gates` and `step(a, u, state)`.

    a and u (n, gates hidden) are the contributions of the input and of the state to the gates. `step` returns
    the next state and the closure back(dstate) -> (da, du, dstate of the previous state). A state is a tuple
    whose first array is the hidden state. `start(hidden)` returns the first state.
    """

    gates: int

    @staticmethod
    def start(hidden: Array) -> State:
        """Return the first state, with the hidden state `hidden` (n, hidden)."""
        return (hidden,)

    def step(self, a: Array, u: Array, state: State) -> tuple[State, Back]:
        """Return the next state, and the closure back(dstate) -> (da, du, dstate of the previous state)."""
        raise AssertionError(f"{type(self).__name__} has no step")

    def __init__(self, name: str, features: int, hidden: int) -> None:
        self.names = [f"{name}/{part}" for part in ("input", "recurrent", "input_bias", "recurrent_bias")]
        self.features, self.hidden = features, hidden

    def parameters(self) -> dict[str, Shape]:
        wide = self.gates * self.hidden
        return dict(
            zip(self.names, [(self.features, wide), (self.hidden, wide), (wide,), (wide,)], strict=True)
        )

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        for name in self.names:
            fill(theta[name], random, self.hidden)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        y, backward = self.run(theta, x, np.zeros_like(x, shape=(len(x), self.hidden)))
        return y, lambda dy, grad=None, need_dx=True: backward(dy, grad, need_dx)[0]

    def advance(self, theta: Parameters, x: Array, state: State) -> State:
        """Return the state after one time step x (n, features). Its first array is the hidden state."""
        weight, recurrent, bias, recurrent_bias = (theta[name] for name in self.names)
        return self.step(x @ weight + bias, state[0] @ recurrent + recurrent_bias, state)[0]

    def run(
        self, theta: Parameters, x: Array, hidden_start: Array
    ) -> tuple[Array, Callable[[Array, Vector | None, bool], tuple[Any, Array]]]:
        """Run like `forward`, from the hidden states `hidden_start` (n, hidden). The closure returns (dx,
        dhidden_start)."""
        weight, recurrent, bias, recurrent_bias = (theta[name] for name in self.names)
        # Put time first, so that each time step is contiguous.
        x = contiguous(x.swapaxes(0, 1))
        a = (x.reshape(-1, self.features) @ weight).reshape(*x.shape[:2], -1)
        a += bias
        state = self.start(hidden_start)
        hidden, backs = np.empty_like(a, shape=(len(x) + 1, *state[0].shape)), []
        hidden[0] = state[0]
        for t in range(len(x)):
            u = state[0] @ recurrent
            u += recurrent_bias
            state, back = self.step(a[t], u, state)
            hidden[t + 1] = state[0]
            backs.append(back)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> tuple[Any, Array]:
            da, du = np.empty_like(a), np.empty_like(a)
            dstate = tuple(np.zeros_like(part) for part in state)
            # With few rows, BLAS is a third slower if the matrix is transposed.
            transposed = contiguous(recurrent.T)
            for t in reversed(range(len(x))):
                dstate = (dstate[0] + dy[:, t], *dstate[1:])
                da[t], du[t], before = backs[t](dstate)
                dstate = (before[0] + du[t] @ transposed, *before[1:])
            rows, state_rows = da.reshape(-1, da.shape[-1]), du.reshape(-1, da.shape[-1])
            if grad is not None:
                sums = kernels(rows).column_sums
                np.matmul(x.reshape(-1, self.features).T, rows, out=grad[self.names[0]])
                np.matmul(hidden[:-1].reshape(-1, self.hidden).T, state_rows, out=grad[self.names[1]])
                grad[self.names[2]][...], grad[self.names[3]][...] = sums(rows), sums(state_rows)
            return (rows @ weight.T).reshape(x.shape).swapaxes(0, 1) if need_dx else None, dstate[0]

        return contiguous(hidden[1:].swapaxes(0, 1)), backward


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), in the form of PyTorch and cuDNN, with gates
    r, z, n:

    r, z = sigmoid(a + u),  n = tanh(a + r u),  h' = (1 - z) n + z h.
    """

    gates = 3

    def step(self, a: Array, u: Array, state: State) -> tuple[State, Back]:
        (h,), two = state, 2 * self.hidden
        gate = sigmoid(a[:, :two] + u[:, :two])
        r, z = gate[:, : self.hidden], gate[:, self.hidden :]
        inner = u[:, two:]
        n = np.tanh(a[:, two:] + r * inner)

        def back(dstate: State) -> tuple[Array, Array, State]:
            (dh,) = dstate
            dn = dh * (1 - z) * (1 - n * n)
            dr, dz = dn * inner * r * (1 - r), dh * (h - n) * z * (1 - z)
            return np.concatenate([dr, dz, dn], axis=1), np.concatenate([dr, dz, dn * r], axis=1), (dh * z,)

        return (n + z * (h - n),), back


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000), with gates i, f, g, o in
    PyTorch's order:

    i, f, o = sigmoid(a + u),  g = tanh(a + u),  c' = f c + i g,  h' = o tanh(c').
    """

    gates = 4

    @staticmethod
    def start(hidden: Array) -> State:
        return hidden, np.zeros_like(hidden)

    def step(self, a: Array, u: Array, state: State) -> tuple[State, Back]:
        _, c = state
        i, f, g, o = np.split(a + u, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        after = f * c + i * g
        squashed = np.tanh(after)

        def back(dstate: State) -> tuple[Array, Array, State]:
            dh, dc = dstate
            dc = dc + dh * o * (1 - squashed * squashed)
            di = dc * g * i * (1 - i)
            df = dc * c * f * (1 - f)
            dg = dc * i * (1 - g * g)
            do = dh * squashed * o * (1 - o)
            da = np.concatenate([di, df, dg, do], axis=1)
            return da, da, (np.zeros_like(dh), dc * f)

        return (o * squashed, after), back
