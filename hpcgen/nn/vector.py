"""All numbers of a player in one flat array, and the names of its parts."""

from collections.abc import ItemsView, Iterator, KeysView, Mapping
from math import prod
from typing import Protocol

import numpy as np

from hpcgen.arrays import Array, Shape, zeros
from hpcgen.nn.buffers import Buffer, Rule


class Layout:
    """Names, offsets and shapes of the parts of a flat vector.

    The vector has three sections, one after the other: `parameters`, which an optimizer updates; `buffers`,
    which are running statistics (see `hpcgen.nn.buffers`); and `statistics`, sums over the samples of a step,
    such as the loss. A step exchanges all three in one reduction.

    `parameters` and `statistics` map names to shapes, `buffers` maps names to Buffers. Raises ValueError if
    two parts have the same name.
    """

    def __init__(
        self,
        parameters: Mapping[str, Shape] | None = None,
        buffers: Mapping[str, Buffer] | None = None,
        statistics: Mapping[str, Shape] | None = None,
    ) -> None:
        self.shapes: dict[str, Shape] = {}
        self.offsets: dict[str, int] = {}
        self.size = 0
        self._buffers = dict(buffers or {})
        self.parameters = self._append(parameters or {})
        self.buffers = self._append({name: buffer.shape for name, buffer in self._buffers.items()})
        self.statistics = self._append(statistics or {})

    def _append(self, shapes: Mapping[str, Shape]) -> slice:
        start = self.size
        for name, shape in shapes.items():
            if name in self.shapes:
                raise ValueError(f"two parts of a vector are named {name}")
            self.shapes[name] = tuple(shape)
            self.offsets[name] = self.size
            self.size += prod(shape)
        return slice(start, self.size)

    def names(self, section: slice) -> list[str]:
        """Return the names of the parts in a section, a slice such as `layout.parameters`."""
        return [name for name, offset in self.offsets.items() if section.start <= offset < section.stop]

    def shapes_of(self, section: slice) -> dict[str, Shape]:
        """Return {name: shape} of the parts in a section."""
        return {name: self.shapes[name] for name in self.names(section)}

    def buffer_rules(self) -> list[tuple[slice, Rule]]:
        """Return (range, rule) for the buffers, in order. Adjacent ranges have different rules."""
        rules: list[tuple[slice, Rule]] = []
        for name, buffer in self._buffers.items():
            start = self.offsets[name]
            stop = start + prod(buffer.shape)
            if rules and rules[-1][1] is buffer.follows:
                start = rules.pop()[0].start
            rules.append((slice(start, stop), buffer.follows))
        return rules

    def state(self) -> "Layout":
        """Return the Layout without statistics. A player keeps these parts between steps."""
        return Layout(self.shapes_of(self.parameters), self._buffers)

    def with_statistics(self, **shapes: Shape) -> "Layout":
        """Return the Layout with additional statistics at its end."""
        statistics = {**self.shapes_of(self.statistics), **shapes}
        return Layout(self.shapes_of(self.parameters), self._buffers, statistics)


class Vector:
    """One flat array `data` (layout.size,), and views of its parts: `vector["dense1/weight"]`.

    Without `data` the Vector holds zeros. Raises ValueError if `data` has another size.
    """

    def __init__(
        self, layout: Layout, data: Array | None = None, dtype: np.typing.DTypeLike = np.float32
    ) -> None:
        self.layout = layout
        self.data = zeros(layout.size, dtype) if data is None else data
        if self.data.shape != (layout.size,):
            raise ValueError(
                f"the layout has {layout.size} numbers, but the data have shape {self.data.shape}"
            )
        self._views = {
            name: self.data[offset : offset + prod(shape)].reshape(shape)
            for (name, offset), shape in zip(layout.offsets.items(), layout.shapes.values(), strict=True)
        }

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    @property
    def leaves(self) -> "list[Vector]":
        """The Vectors of the cells: samples that are not divided have one cell."""
        return [self]

    @property
    def whole(self) -> "Vector":
        """The Vector that takes what counts once."""
        return self

    def add(self, other: "Vector") -> None:
        """Add the parameters of another Vector of this layout, in place."""
        self.data[self.layout.parameters] += other.data[self.layout.parameters]

    def keys(self) -> KeysView[str]:
        """Return the names of the parts, in order. A Vector can be read like a mapping."""
        return self._views.keys()

    def items(self) -> ItemsView[str, Array]:
        """Return the (name, array) of each part."""
        return self._views.items()

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __repr__(self) -> str:
        return f"Vector({self.layout.size} x {self.data.dtype}: {', '.join(self._views)})"


class Tensors(Protocol):
    """The tensors of a flat vector, of which a rank keeps some of the numbers.

    Iteration gives (number of the tensor, its slice of the rank's numbers, whether it has several axes).
    """

    def __iter__(self) -> Iterator[tuple[int, slice, bool]]:
        """Iterate over the tensors of which the rank has numbers."""

    def norms(self, array: Array) -> np.ndarray:
        """Return the Euclidean norm of each whole tensor, (tensors,), from each rank's numbers."""
