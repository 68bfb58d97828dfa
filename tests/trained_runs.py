"""Short runs of each kind of model, trained once for all tests that use them."""

import h5py
import numpy as np
import pytest

from hpcgen.data.prepare import prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.data.sources.fields import Fields
from hpcgen.data.sources.linear import LinearModel
from hpcgen.data.sources.text import Text
from hpcgen.training.run import train

SENTENCE = "the quick brown fox jumps over the lazy dog; "


def text(comm, folder):
    if comm.rank == 0:
        (folder / "text.txt").write_text(SENTENCE * 40)
    comm.Barrier()
    prepare(lambda: Text([folder / "text.txt"], 12), folder / "text.h5", comm)


def audio(comm, folder):
    if comm.rank == 0:
        with h5py.File(folder / "audio.h5", "w") as file:
            file["samples"] = np.sin(np.arange(100 * 64, dtype=np.float32)).reshape(100, 64)
            file.attrs.update(kind="audio", rate=8000, low=-1.0, high=1.0)
    comm.Barrier()


def pictures(comm, folder):
    """Colour pictures of several checksums each."""
    if comm.rank == 0:
        with h5py.File(folder / "pictures.h5", "w") as file:
            file["samples"] = np.random.default_rng(0).integers(0, 256, (30, 180, 100, 3), np.uint8)
            file.attrs["kind"] = "image"
    comm.Barrier()


DATA = {
    "digits": lambda comm, folder: prepare(Digits, folder / "digits.h5", comm),
    "columns": lambda comm, folder: prepare(
        lambda: LinearModel(300, 3, 2, 0.1, 0), folder / "columns.h5", comm
    ),
    "fields": lambda comm, folder: prepare(
        lambda: Fields(200, 12, -1.7, seed=0, axes=2), folder / "fields.h5", comm
    ),
    "volumes": lambda comm, folder: prepare(
        lambda: Fields(20, 32, -1.7, seed=0), folder / "volumes.h5", comm
    ),
    "pictures": pictures,
    "text": text,
    "audio": audio,
}
MODELS = {
    "gan": ("digits", '{ kind = "gan" }'),
    "conditional": ("digits", '{ kind = "gan", conditional = true }'),
    "fields": ("fields", '{ kind = "gan" }'),
    "vae": ("digits", '{ kind = "vae" }'),
    "classifier": ("digits", '{ kind = "classifier" }'),
    "rvae": ("text", '{ kind = "rvae", hidden = 8, embedding = 4, latent = 3 }'),
    "sound": ("audio", '{ kind = "rvae", network = "sequence", hidden = 8 }'),
    "linear": ("columns", '{ kind = "linear" }'),
    "regressor": ("columns", '{ kind = "regressor" }'),
    "volumes": ("volumes", '{ network = "dcgan3d", generator.width = 2, discriminator.width = 2 }'),
    "pictures": (
        "pictures",
        '{ kind = "vae", network = "conv-vae", latent = 3, encoder.width = 2, decoder.width = 2 }',
    ),
}
# Further keys of the table [train].
TRAIN = {"volumes": ", cells = [2, 2, 2]", "pictures": ", cells = [3]"}


@pytest.fixture
def data(comm, folder):
    """data(name): the path of a data file, made anew."""

    def make(name):
        DATA[name](comm, folder)
        return folder / f"{name}.h5"

    return make


@pytest.fixture(scope="session")
def trained(_test_comm, tmp_path_factory):
    """trained(kind): a run folder of a few steps of a model and its data file, made once."""
    comm, made = _test_comm, {}
    folder = comm.bcast(tmp_path_factory.mktemp("runs"))

    def make(kind):
        if kind not in made:
            name, model = MODELS[kind]
            if name not in made:
                DATA[name](comm, folder)
                made[name] = folder / f"{name}.h5"
            path = folder / f"{kind}.toml"
            if comm.rank == 0:
                steps = f"train = {{ steps = 3, lanes = 4, lane_size = 4{TRAIN.get(kind, '')} }}"
                path.write_text(f'data.path = "{made[name]}"\nmodel = {model}\n{steps}\n')
            comm.Barrier()
            train(path, folder / kind, comm, progress="off")
            made[kind] = folder / kind, made[name]
        return made[kind]

    return make
