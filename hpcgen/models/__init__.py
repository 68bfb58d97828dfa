"""Generative models, a regressor, and a classifier whose features `evaluate` compares."""

from hpcgen.models.classifier import Classifier
from hpcgen.models.gan import GAN
from hpcgen.models.linear import LinearGenerator
from hpcgen.models.model import Model
from hpcgen.models.regressor import Regressor
from hpcgen.models.rvae import RVAE
from hpcgen.models.vae import VAE

MODELS: dict[str, type[Model]] = {
    "gan": GAN,
    "vae": VAE,
    "rvae": RVAE,
    "linear": LinearGenerator,
    "regressor": Regressor,
    "classifier": Classifier,
}
