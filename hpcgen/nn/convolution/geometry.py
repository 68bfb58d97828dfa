"""Positions of the windows of a convolution: kernel, stride and padding on each axis. Arithmetic only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """`kernel`, `stride` and `padding`: one integer for each axis. `padding` zeros are added at both ends.

    The names and the arithmetic are those of PyTorch. ONNX's `pads` are (*padding, *padding).
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.kernel) == len(self.stride) == len(self.padding):
            raise ValueError(
                f"kernel {self.kernel}, stride {self.stride} and padding {self.padding} differ in their axes"
            )

    def positions(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how many windows fit on each axis: floor((size + 2 p - k) / s) + 1.

        Raises ValueError if none fits.
        """
        counts = tuple((size + 2 * p - k) // s + 1 for size, k, s, p in self._axes(sizes))
        if min(counts) < 1:
            padded = " x ".join(str(size + 2 * p) for size, _, _, p in self._axes(sizes))
            raise ValueError(f"a kernel of {' x '.join(map(str, self.kernel))} does not fit into {padded}")
        return counts

    def sizes(self, positions: Sequence[int], output_padding: Sequence[int]) -> tuple[int, ...]:
        """Return the output sizes of a transposed convolution for `positions`: (i - 1) s - 2 p + k +
        output_padding.

        s sizes have the same number of positions. `output_padding` (0 to s - 1) chooses one of them. Raises
        ValueError.
        """
        sizes = tuple(
            (i - 1) * s - 2 * p + k + e
            for (i, k, s, p), e in zip(self._axes(positions), output_padding, strict=True)
        )
        if min(sizes) < 1:
            raise ValueError(f"padding {' x '.join(map(str, self.padding))} leaves no output")
        if any(not 0 <= e < s for e, s in zip(output_padding, self.stride, strict=True)):
            raise ValueError("output_padding must be less than the stride")
        return sizes

    def _axes(self, sizes: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
        return zip(sizes, self.kernel, self.stride, self.padding, strict=True)
