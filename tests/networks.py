"""Small runs of every kind of model and network, and their data."""

import h5py
import numpy as np

LANES = 7
SHAPES = {
    "image": (16, 16, 1),
    "colour": (8, 16, 3),
    "volume": (8, 8, 8),
    "wave": (128,),
    "sequence": (6, 5),
    "columns": (2,),
}
LAYERS = """
    [[model.generator.layers]]
    kind = "dense"
    outputs = 128
    [[model.generator.layers]]
    kind = "batch-norm"
    [[model.generator.layers]]
    kind = "elu"
    [[model.generator.layers]]
    kind = "dropout"
    rate = 0.2
    [[model.generator.layers]]
    kind = "reshape"
    shape = [8, 8, 2]
    [[model.generator.layers]]
    kind = "upsample"
    [[model.generator.layers]]
    kind = "conv"
    channels = 1
    kernel = [3, 5]
    stride = 1
    padding = [1, 2]
    [[model.generator.layers]]
    kind = "sigmoid"
    [[model.discriminator.layers]]
    kind = "conv"
    channels = 8
    [[model.discriminator.layers]]
    kind = "layer-norm"
    axes = 3
    [[model.discriminator.layers]]
    kind = "leaky-relu"
    slope = 0.1
    [[model.discriminator.layers]]
    kind = "flatten"
    [[model.discriminator.layers]]
    kind = "dropout"
    [[model.discriminator.layers]]
    kind = "dense"
    outputs = 1
    """
# Second derivatives of layers that are curved.
PENALTY = """
    kind = "gan"
    network = "layers"
    loss = "wasserstein"
    gradient_penalty = 10.0
    spectral_norm = true
    conditional = true
    latent = 20
    [model.generator]
    layers = [
        { kind = "dense", outputs = 64 }, { kind = "layer-norm" }, { kind = "softplus" },
        { kind = "reshape", shape = [4, 4, 4] }, { kind = "upsample" },
        { kind = "conv", channels = 6, kernel = 3, stride = 1 },
        { kind = "layer-norm", axes = 3 }, { kind = "elu" },
        { kind = "conv-transpose", channels = 1 }, { kind = "tanh" },
    ]
    [model.discriminator]
    layers = [
        { kind = "conv", channels = 6 }, { kind = "layer-norm", axes = 3 }, { kind = "tanh" },
        { kind = "dropout", rate = 0.2 }, { kind = "conv", channels = 8, kernel = 3, padding = 1 },
        { kind = "layer-norm" }, { kind = "sigmoid" }, { kind = "flatten" }, { kind = "dense", outputs = 10 },
    ]
    """
RECURRENT = """
    [model.generator]
    layers = [
        { kind = "dense", outputs = 24 }, { kind = "softplus" }, { kind = "reshape", shape = [6, 4] },
        { kind = "gru", hidden = 5 }, { kind = "tanh" },
    ]
    [model.discriminator]
    layers = [{ kind = "lstm", hidden = 3 }, { kind = "flatten" }, { kind = "dense", outputs = 1 }]
    """
NARROW = "generator.width = 16\ndiscriminator.width = 16"
NETWORKS = {
    "seedgan": ("image", ""),
    "mlpgan": ("image", ""),
    "dcgan28": ("image", "generator.width = 32\ndiscriminator.width = 32"),
    "dcgan64": ("colour", "generator.width = 16\ndiscriminator.width = 16"),
    "dcgan3d": ("volume", "generator.width = 8\ndiscriminator.width = 8"),
    "wavegan": ("wave", "generator.width = 4\ndiscriminator.width = 4"),
    "layers": ("image", LAYERS),
    "recurrent": ("sequence", RECURRENT),
    "vae": ("image", 'kind = "vae"'),
    "wgan": (
        "image",
        (
            "kind = 'gan'\nnetwork = 'mlpgan'\nloss = 'wasserstein'\ngradient_penalty = "
            "10.0\ndiscriminator_steps = 3"
        ),
    ),
    "clipped": ("image", "kind = 'gan'\nnetwork = 'dcgan28'\nloss = 'wasserstein'\nclip = 0.01\n" + NARROW),
    "spectral": (
        "image",
        "kind = 'gan'\nnetwork = 'dcgan28'\nloss = 'hinge'\nspectral_norm = true\n" + NARROW,
    ),
    "conditional": ("image", "kind = 'gan'\nnetwork = 'mlpgan'\nconditional = true\nlabel_smoothing = 0.1"),
    "rvae": ("text", "kind = 'rvae'\nnetwork = 'text'\nhidden = 16\nembedding = 8\nlatent = 4"),
    "rvae-lstm": (
        "text",
        "kind = 'rvae'\nnetwork = 'text'\ncell = 'lstm'\nhidden = 16\nembedding = 8\nfree_bits = 0.1",
    ),
    "rvae-numbers": ("sequence", "kind = 'rvae'\nnetwork = 'sequence'\nhidden = 16\nword_dropout = 0.2"),
    "linear": ("columns", "kind = 'linear'\nnetwork = 'linear'\nintercept = true"),
    "regressor": ("columns", "kind = 'regressor'\nnetwork = 'regressor'"),
    "classifier": ("image", "kind = 'classifier'\nnetwork = 'convolutional'\nclassifier.width = 16"),
    "penalty": ("image", PENALTY),
    "conv-vae": ("image", 'kind = "vae"\nencoder.width = 16\ndecoder.width = 16'),
}


def run_file(name, data):
    """Return the text of the run file of the network `name`, trained on the file `data`."""
    kind, keys = NETWORKS[name]
    network = "" if "network" in keys else f'network = "{"layers" if name == "recurrent" else name}"'
    return f"""
        data.path = "{data}"
        train = {{ lanes = {LANES}, lane_size = 3 }}
        [model]
        {network}
        {keys}
        """


def write_data(path, kind):
    """Write a data file of random samples of a kind."""
    random = np.random.default_rng(2)
    with h5py.File(path, "w") as file:
        if kind == "text":
            file["samples"] = random.integers(0, 30, (61, 12), np.uint8)
            file["vocabulary"] = np.arange(65, 95)
            file.attrs["kind"] = "text"
        else:
            file["samples"] = random.random((61, *SHAPES[kind]), dtype=np.float32)
        file["labels"] = random.integers(0, 10, 61)
        if kind == "columns":
            file["inputs"] = random.random((61, 5), dtype=np.float32)
