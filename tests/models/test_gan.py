import numpy as np
import pytest
from gradients import initialized, write_gradient

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch
from hpcgen.models.gan import GAN, GANOptions
from hpcgen.models.networks.architectures import Perceptron, PerceptronGenerator
from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.losses import LOSSES
from hpcgen.nn.vector import Vector


def floats(*shape):
    """Return the schema of float32 samples of `shape` in -1 to 1."""
    return Schema(shape, "float32", "array", -1.0, 1.0)


def small_gan(loss="non-saturating", output="tanh"):
    options = GANOptions(
        latent=3,
        loss=loss,
        clip=float(loss == "wasserstein"),
        generator=PerceptronGenerator([4], "tanh", output),
        discriminator=Perceptron([5, 4], "leaky-relu"),
    )
    return GAN(options, floats(2, 3, 1))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("player", GAN.players)
@pytest.mark.parametrize("output", ["tanh", "sigmoid", "linear"])
def test_gradients(loss, player, output, random):
    model = small_gan(loss, output)
    theta = initialized(model, random)
    batch, noise = random.standard_normal((4, 2, 3, 1)), random.standard_normal((4, 3))
    layout = model.layouts[player]

    def gradient():
        grad = Vector(layout, dtype=np.float64)
        write_gradient(model, player, theta, Batch(4, batch, noise), grad)
        return grad

    grad = gradient()
    expected = numerical_gradient(lambda: float(gradient()["loss"]), theta[player].data)
    assert relative_error(grad.data[layout.parameters], expected) < 1e-7
    assert grad["count"] == 4


def test_kept_samples_change_no_bit(random):
    model = small_gan()
    theta = initialized(model, random, np.float32)
    batch, noise = (
        random.standard_normal((4, 2, 3, 1)).astype("f4"),
        random.standard_normal((4, 3)).astype("f4"),
    )
    bits = set()
    for recompute in (False, True):
        lane, grad = Batch(4, batch, noise), Vector(model.layouts["generator"])
        write_gradient(model, "discriminator", theta, lane, Vector(model.layouts["discriminator"]))
        assert lane.kept
        if recompute:
            lane.kept.clear()
        write_gradient(model, "generator", theta, lane, grad)
        bits.add(grad.data.tobytes())
    assert len(bits) == 1


def test_each_pass_has_its_own_dropout():
    dense = "{{ kind = 'dense', outputs = {} }}, {{ kind = 'dropout' }}"
    options = parse_config(
        'data.path = "d.h5"\nmodel.network = "layers"\nmodel.latent = 3\n'
        f"model.generator.layers = [{dense.format(6)}]\nmodel.discriminator.layers = [{dense.format(1)}]\n"
    ).model
    model, streams = GAN(options, floats(6)), []
    theta = initialized(model, np.random.default_rng(0), np.float32)

    def random(index):
        streams.append(index)
        return np.random.default_rng(index)

    batch = Batch(4, np.ones((4, 6), np.float32), np.ones((4, 3), np.float32), random=random)
    for player in model.players:
        write_gradient(model, player, theta, batch, Vector(model.layouts[player]))
    assert streams == [0, 1, 2]


def test_a_lanes_gradient_is_a_sum_over_samples(random):
    model = small_gan()
    theta = initialized(model, random)
    batch, noise = random.standard_normal((6, 2, 3, 1)), random.standard_normal((6, 3))
    for player in model.players:
        whole, total = Vector(model.layouts[player], dtype=np.float64), np.zeros(model.layouts[player].size)
        write_gradient(model, player, theta, Batch(6, batch, noise), whole)
        for part in (slice(0, 2), slice(2, 6)):
            grad = Vector(model.layouts[player], dtype=np.float64)
            write_gradient(model, player, theta, Batch(len(batch[part]), batch[part], noise[part]), grad)
            total += grad.data
        assert total == pytest.approx(whole.data, abs=1e-12)


def test_samples_lie_in_the_range(random):
    for output, low in (("tanh", -1), ("sigmoid", 0)):
        model = small_gan(output=output)
        theta = initialized(model, random, np.float32)
        samples = model.sample(theta, Batch(10, noise=model.noise(random, 10)))
        assert samples.shape == (10, 2, 3, 1) and samples.dtype == np.float32
        assert model.units.range == (low, 1) and samples.min() >= low and samples.max() <= 1


NETWORKS = {
    "dcgan28": ("width = 32", (8, 8, 1)),
    "dcgan64": ("width = 4", (16, 8, 3)),
    "dcgan3d": ("width = 4", (8, 8, 8)),
    "wavegan": ("width = 4", (64,)),
}


@pytest.mark.parametrize("player", GAN.players)
@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_of_convolutional_networks(network, player, random):
    """Along random directions: the networks have too many parameters for all differences."""
    keys, shape = NETWORKS[network]
    text = (
        f'data.path = "x"\n[model]\nnetwork = "{network}"\nlatent = 5\ngenerator.{keys}\ndiscriminator.{keys}'
    )
    model = GAN(parse_config(text).model, floats(*shape))
    theta = initialized(model, random)
    batch, noise = random.standard_normal((4, *shape)), random.standard_normal((4, 5))
    layout = model.layouts[player]

    def gradient():
        grad = Vector(layout, dtype=np.float64)
        write_gradient(model, player, theta, Batch(4, batch, noise), grad)
        return grad

    parameters = theta[player].data[layout.parameters]
    parameters += 0.05 * random.standard_normal(parameters.shape)
    grad = gradient().data[layout.parameters]
    for _ in range(3):
        direction, start = 1e-6 * random.standard_normal(parameters.shape), parameters.copy()
        losses = []
        for sign in (1, -1):
            parameters[...] = start + sign * direction
            losses.append(float(gradient()["loss"]))
        parameters[...] = start
        assert (losses[0] - losses[1]) / 2 == pytest.approx(grad @ direction, rel=1e-4, abs=1e-9)


def test_turns():
    """The discriminator's, each with a batch of its own, and the generator's on the last of them."""
    options = parse_config('data.path = "x"\nmodel.discriminator_steps = 3').model
    assert GAN(options, floats(8, 8, 1)).turns == (
        ("discriminator", 0),
        ("discriminator", 1),
        ("discriminator", 2),
        ("generator", 2),
    )


@pytest.mark.parametrize(
    "last, low", [("sigmoid", 0), ("tanh", -1), ("sigmoid' }, { kind = 'upsample", 0), ("linear", -1)]
)
def test_the_interval_of_samples(last, low):
    """It is that of the last layer of the generator that does not keep the interval of its input."""
    layers = f"""
        generator.layers = [
            {{ kind = 'dense', outputs = 16 }}, {{ kind = 'reshape', shape = [4, 4, 1] }},
            {{ kind = '{last}' }}
        ]
        discriminator.layers = [{{ kind = 'flatten' }}, {{ kind = 'dense', outputs = 1 }}]
        """
    options = parse_config(f'data.path = "x"\n[model]\nnetwork = "layers"\n{layers}').model
    shape = (8, 8, 1) if "upsample" in last else (4, 4, 1)
    assert GAN(options, floats(*shape)).units.range == (low, 1)
