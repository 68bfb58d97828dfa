import pytest

from hpcgen.config.differences import differences
from hpcgen.config.reading import load_config, load_recorded, parse_config, require_recorded
from hpcgen.errors import InputError
from hpcgen.nn.optimizers import SGD, Adam, Momentum

MINIMAL = '[data]\npath = "d.h5"\n'


def test_everything_but_the_data_has_a_default():
    config = parse_config(MINIMAL)
    assert config.model.kind == "gan" and config.model.network == "mlpgan"
    assert (
        config.model.generator.hidden == [256, 512] and config.model.discriminator.activation == "leaky-relu"
    )
    assert config.optimizer == {"discriminator": Adam(), "generator": Adam()}
    assert config.parallel.exchange == "exact" and config.seed == 0


def test_a_preset_stands_under_the_users_own():
    model = parse_config(MINIMAL + '[model]\nnetwork = "seedgan"\n[model.generator]\nhidden = [3, 4]\n').model
    assert model.generator.hidden == [3, 4] and model.generator.output == "sigmoid"
    assert model.discriminator.hidden == [128]


def test_optimizers_may_differ_by_player():
    text = MINIMAL + '[optimizer]\nname = "adam"\nbeta1 = 0.9\n'
    config = parse_config(text + "[optimizer.generator]\nlearning_rate = 0.5\n")
    assert config.optimizer == {
        "discriminator": Adam(beta1=0.9),
        "generator": Adam(learning_rate=0.5, beta1=0.9),
    }
    config = parse_config(text + '[optimizer.discriminator]\nname = "sgd"\n')
    assert config.optimizer == {"discriminator": SGD(), "generator": Adam(beta1=0.9)}


def test_a_player_without_another_optimizer_inherits():
    config = parse_config(
        MINIMAL + '[optimizer]\nlearning_rate = 0.01\n[optimizer.generator]\nname = "adam"\n'
    )
    assert config.optimizer == {
        "discriminator": Adam(learning_rate=0.01),
        "generator": Adam(learning_rate=0.01),
    }


def test_settings_are_laid_over_the_file():
    settings = ["train.steps=7", "optimizer.name=momentum", "model.generator.hidden=[9]", "data.path=x.h5"]
    config = parse_config(MINIMAL, settings)
    assert config.train.steps == 7 and config.optimizer["generator"] == Momentum()
    assert config.model.generator.hidden == [9] and config.data.path.endswith("/x.h5")


@pytest.mark.parametrize(
    "addition, message",
    [
        ("[model]\nlatnet = 3", r"unknown key model.latnet \(did you mean model.latent\?\)"),
        ("[trian]\nsteps = 3", r"unknown key trian \(did you mean train\?\)"),
        ("[model]\nlane_size = 3", r"unknown key model.lane_size \(did you mean train.lane_size\?\)"),
        (
            "[optimizer]\nname = 'sgd'\nbeta1 = 0.5",
            r"unknown key optimizer.beta1 \(known here: .*learning_rate.*\)",
        ),
        (
            "[optimizer.critic]\nname = 'sgd'",
            r"unknown key optimizer.critic \(known here: discriminator, generator\)",
        ),
        ("[model]\nlatent = 0", "model.latent = 0: must be an integer >= 1"),
        ("[model]\nlatent = 1.5", "model.latent = 1.5: must be an integer >= 1"),
        ("[model]\nlatent = true", "model.latent = true: must be an integer"),
        ("[train]\nrecompute = 1", "train.recompute = 1: must be true or false"),
        (
            "[model]\nloss = 'hinge-ish'",
            "model.loss = 'hinge-ish': must be one of minimax, non-saturating, least-squares",
        ),
        ("[model]\nloss = 'minmax'", r"did you mean minimax\?"),
        (
            "[model]\nkind = 'gna'",
            r"model.kind = 'gna': must be one of gan, vae, .* \(did you mean gan\?\)",
        ),
        (
            "[model.generator]\nhidden = [3, 0]",
            r"model.generator.hidden = \[3, 0\]: must be a list of integers >= 1",
        ),
        ("[model.generator]\nhidden = 3", "must be a list of integers"),
        ("[optimizer]\nlearning_rate = -1", "optimizer.learning_rate = -1: must be a number > 0"),
        ("[optimizer]\nlearning_rate = inf", "optimizer.learning_rate = inf: must be a number > 0"),
        ("[optimizer]\nlearning_rate = nan", "optimizer.learning_rate = nan: must be a number > 0"),
        ("[optimizer]\nbeta1 = 1.0", "optimizer.beta1 = 1.0: must be a number >= 0 and < 1"),
        ("[optimizer]\nname = 'adma'", r"optimizer.name = 'adma': must be one of .*\(did you mean adam\?\)"),
        ("[train]\nsteps = 'ten'", "train.steps = 'ten': must be an integer >= 1"),
        ("model = 3", r"model = 3: must be a table, \[model\]"),
        ("[model]\nnetwork = ['mlpgan']", r"model.network = \['mlpgan'\]: must be one of"),
        (
            "[optimizer]\ngenerator = 'adam'",
            r"optimizer.generator = 'adam': must be a table, \[optimizer.generator\]",
        ),
        ("seed = -1", "seed = -1: must be an integer >= 0"),
        ("[model", "not valid TOML"),
        ("[checkpoint]\nevery = 0", "checkpoint.every = 0: must be an integer >= 1"),
        (
            "[parallel]\nexchange = 'alreduce'",
            r"must be one of exact, allreduce \(did you mean allreduce\?\)",
        ),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(addition, message):
    with pytest.raises(InputError, match=message):
        parse_config(addition + "\n" + MINIMAL)


def test_the_data_must_be_named():
    with pytest.raises(InputError, match=r"data.path is missing; add path = ... under \[data\]"):
        parse_config("")


@pytest.mark.parametrize("setting", ["steps", "=3", "data.path.x=3", "seed=1\ntrain.steps=2"])
def test_bad_settings(setting):
    with pytest.raises(InputError, match="--set"):
        parse_config(MINIMAL, [setting])


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_config(tmp_path / "run.toml")
    (tmp_path / "run.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not a text file"):
        load_config(tmp_path / "run.toml")


def test_a_run_file_that_lost_its_end_is_not_taken_for_a_recorded_one(tmp_path):
    """Wherever it is cut, only keys that may change when a run resumes can be missing."""
    config = parse_config(MINIMAL + "[train]\nsteps = 7\n", ["seed=8"])
    text = config.toml()
    require_recorded(text)
    for end in range(len(text)):
        try:
            require_recorded(text[:end])
        except InputError:
            continue
        assert differences(config, parse_config(text[:end])) == []
    (tmp_path / "config.toml").write_text(text)
    assert load_recorded(tmp_path / "config.toml") == config
    (tmp_path / "config.toml").write_text(text[: text.index("[train]")])
    with pytest.raises(InputError, match="config.toml: not a whole run file: its end is missing"):
        load_recorded(tmp_path / "config.toml")
    assert load_config(tmp_path / "config.toml").train.steps == 5000


def test_without_observers_nothing_is_skipped():
    text = 'data.path = "d.h5"\nevaluate.skip = true\n'
    with pytest.raises(InputError, match="evaluate.skip = true: there are no observers"):
        parse_config(text)
    assert parse_config(text, ["parallel.observers=1"]).evaluate.skip
