"""Build a chain of layers from a list of specifications."""

from collections.abc import Iterable

from hpcgen.arrays import shown
from hpcgen.errors import InputError
from hpcgen.models.networks.specs import Rectifier, Shape, Spec
from hpcgen.nn.chain import Chain
from hpcgen.nn.layer import Layer
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.layers.recurrent import Recurrent
from hpcgen.nn.layers.spectral import SpectralNorm


def build(
    specs: Iterable[Spec],
    start: Shape,
    end: Shape,
    where: str,
    prefix: str = "",
    spectral: bool = False,
) -> Chain:
    """Return the Chain of `specs`, which maps samples of shape `start` to samples of shape `end`.

    The name of a layer's parameters is `prefix`, the kind of the layer, and its number among the layers of
    its kind, from 1. With `spectral` the weights of dense and convolutional layers are normalised. Raises
    InputError if the shapes do not match. The error names the layer under the key `where`.
    """
    layers: list[Layer] = []
    counts: dict[str, int] = {}
    shape, specs = tuple(start), list(specs)
    shapes = [shape]
    for i, spec in enumerate(specs):
        if i and isinstance(spec, Rectifier) and specs[i - 1].absorbs:
            continue
        counts[spec.kind] = counts.get(spec.kind, 0) + 1
        name = f"{prefix}{spec.kind.replace('-', '_')}{counts[spec.kind]}"
        follower = specs[i + 1] if i + 1 < len(specs) else None
        slope = follower.slope if spec.absorbs and isinstance(follower, Rectifier) else 1.0
        try:
            layer, made = spec.build(name, shape, slope)
        except ValueError as error:
            raise InputError(f"{where}[{i}] ({spec.kind}) gets samples of {shown(shape)}: {error}") from None
        if spectral and isinstance(layer, Recurrent):
            raise InputError(
                f"{where}[{i}] ({spec.kind}): model.spectral_norm applies to dense and convolutional layers; "
                "leave it out"
            )
        layers.append(SpectralNorm(layer) if spectral and isinstance(layer, Affine) else layer)
        shape = tuple(made)
        shapes.append(shape)
    if shape != tuple(end):
        raise InputError(f"{where}: the output has shape {shown(shape)}, but must have {shown(end)}")
    return Chain(layers, shapes)
