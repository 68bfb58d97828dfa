"""A player's numbers in one flat array, and the names of its parts."""

from math import prod

import numpy as np


class Layout:
    """Names, offsets and shapes of the parts of a flat vector, in three sections.

    The sections follow each other: `parameters` (what an optimizer moves), `buffers` (running statistics,
    averaged over lanes) and `statistics` (sums over the samples of a step, such as losses). One vector with
    all three is what a step exchanges for a player, so that a step takes one reduction.

    Each argument is a mapping of name to shape.
    """

    def __init__(self, parameters=None, buffers=None, statistics=None):
        self.shapes = {}
        self.offsets = {}
        self.size = 0
        self.parameters = self._append(parameters or {})
        self.buffers = self._append(buffers or {})
        self.statistics = self._append(statistics or {})

    def _append(self, shapes):
        start = self.size
        for name, shape in shapes.items():
            if name in self.shapes:
                raise ValueError(f"two parts of a vector are named {name}")
            self.shapes[name] = tuple(shape)
            self.offsets[name] = self.size
            self.size += prod(shape)
        return slice(start, self.size)

    def shapes_of(self, section):
        """Return {name: shape} of one section, a slice such as `layout.parameters`."""
        return {name: self.shapes[name] for name in self.names(section)}

    def state(self):
        """Return the Layout without statistics: what a player is between steps."""
        return Layout(self.shapes_of(self.parameters), self.shapes_of(self.buffers))

    def with_statistics(self, **shapes):
        """Return the Layout with more statistics at its end."""
        statistics = {**self.shapes_of(self.statistics), **shapes}
        return Layout(self.shapes_of(self.parameters), self.shapes_of(self.buffers), statistics)

    def names(self, section):
        """Return the names of the parts that lie in `section`, a slice such as `layout.parameters`."""
        return [name for name, offset in self.offsets.items() if section.start <= offset < section.stop]


class Vector:
    """One flat array `data` of shape (layout.size,) and views of its parts: `vector["dense1/weight"]`."""

    def __init__(self, layout, data=None, dtype=np.float32):
        self.layout = layout
        self.data = np.zeros(layout.size, dtype) if data is None else data
        if self.data.shape != (layout.size,):
            raise ValueError(f"the layout has {layout.size} numbers, the data {self.data.shape}")
        self._views = {
            name: self.data[offset : offset + prod(shape)].reshape(shape)
            for (name, offset), shape in zip(layout.offsets.items(), layout.shapes.values(), strict=True)
        }

    def __getitem__(self, name):
        return self._views[name]

    def keys(self):
        """Return the names of the parts, in their order; a Vector is a mapping, as far as reading goes."""
        return self._views.keys()

    def items(self):
        """Return the (name, array) of each part."""
        return self._views.items()

    def __contains__(self, name):
        return name in self._views

    def __iter__(self):
        return iter(self._views)

    def __repr__(self):
        return f"Vector({self.layout.size} x {self.data.dtype}: {', '.join(self._views)})"
