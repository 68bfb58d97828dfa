"""Bad input causes exit status 2 and one line on stderr, printed once, at one rank and at several ranks."""

import gzip
import os
import shutil
import wave

import h5py
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("no_wait")


def bad_rows(path, value):
    samples = np.zeros((100, 4), np.float32)
    samples[61, 2] = value
    samples[0] = 1
    with h5py.File(path, "w") as file:
        file["samples"] = samples


def truncated(tmp_path, digits):
    path = tmp_path / "truncated.h5"
    path.write_bytes(digits.read_bytes()[:50_000])
    return path


def text(tmp_path, digits):
    path = tmp_path / "text.h5"
    path.write_text("not HDF5 at all")
    return path


def not_a_number(tmp_path, digits):
    bad_rows(tmp_path / "nan.h5", np.nan)
    return tmp_path / "nan.h5"


def infinite(tmp_path, digits):
    bad_rows(tmp_path / "inf.h5", np.inf)
    return tmp_path / "inf.h5"


def damaged(tmp_path, digits):
    path = tmp_path / "damaged.h5"
    shutil.copy(digits, path)
    with h5py.File(path, "r+") as file:
        file["samples"][1000] = 7
    return path


def swapped(tmp_path, digits):
    """A file without checksums; the page with the texts of attributes and a page of data are swapped."""
    path, page = tmp_path / "swapped.h5", 512
    with h5py.File(path, "w") as file:
        file["samples"] = np.random.default_rng(0).random((300, 8), dtype=np.float32)
        file.attrs["kind"] = "array"
    whole = path.read_bytes()
    texts = whole.index(b"GCOL") // page * page
    data = texts - page if texts + 2 * page > len(whole) else texts + page
    harmed = bytearray(whole)
    harmed[texts : texts + page], harmed[data : data + page] = (
        whole[data : data + page],
        whole[texts : texts + page],
    )
    path.write_bytes(harmed)
    return path


DATA = {
    lambda tmp_path, digits: tmp_path / "missing.h5": "missing.h5: no such file",
    truncated: "truncated.h5: truncated",
    text: "text.h5: not an HDF5 file",
    not_a_number: "nan.h5: row 61 of the samples holds NaN or infinity",
    infinite: "inf.h5: row 61 of the samples holds NaN or infinity",
    damaged: "/samples differs from its checksum at rows",
    swapped: "swapped.h5: damaged: cannot read",
}
SETTINGS = {
    "train.stepz=3": "unknown key train.stepz (did you mean train.steps?)",
    "train.lanes='many'": "train.lanes = 'many': must be an integer >= 1",
    "optimizer.beta1=2": "optimizer.beta1 = 2: must be a number >= 0 and < 1",
    "model.network=dcgan3d": "samples of 8 x 8 x 1 cannot be divided by 2 on each axis into 4 or more",
    "model.network=layers": "model.generator.layers is missing",
    "model.kind=linear": 'the data have no /inputs, which model.kind = "linear" needs',
    "model.kind=rvae": 'model.network = "text" needs text',
    "model.loss=wasserstein": "needs a bound on the discriminator",
    "train.lanes=1798": "1797 rows are fewer than train.lanes = 1798",
    "train.lane_size=225": "train.lane_size = 225 is larger than a lane's shard, 224 rows",
}


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("make, message", DATA.items())
def test_data(hpcgen, run_file, tmp_path, digits, ranks, make, message):
    path = make(tmp_path, digits)
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", "--set", f"data.path={path}")
    assert ended.status == 2 and message in ended.one_line()


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("setting, message", SETTINGS.items())
def test_run_file(hpcgen, run_file, tmp_path, ranks, setting, message):
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", "--set", setting)
    assert ended.status == 2 and message in ended.one_line()


def test_more_ranks_than_lanes(hpcgen, run_file, tmp_path):
    ended = hpcgen(3, "train", run_file, "--run", tmp_path / "run", "--set", "train.lanes=2")
    assert ended.status == 2 and "3 ranks are more than train.lanes = 2" in ended.one_line()


@pytest.mark.parametrize("ranks", [1, 3])
def test_idx(hpcgen, tmp_path, ranks):
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (5, 4, 4))
    cases = {
        "short": header + bytes(79),
        "magic": b"PK" + header[2:] + bytes(80),
        "cut": gzip.compress(header + bytes(80))[:-9],
    }
    messages = {
        "short": "fewer bytes than its header says",
        "magic": "magic number is 504b0803",
        "cut": "truncated",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        ended = hpcgen(ranks, "prepare", "idx", tmp_path / name, tmp_path / "out.h5")
        assert ended.status == 2 and messages[name] in ended.one_line()
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("ranks", [1, 3])
def test_sources(hpcgen, tmp_path, ranks, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_bytes(b"enough characters" + b"\xff")
    for name, rate in ("a.wav", 8000), ("b.wav", 44100), ("float.wav", 8000):
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(bytes(200))
    content = (tmp_path / "float.wav").read_bytes()
    (tmp_path / "float.wav").write_bytes(content[:20] + b"\x03" + content[21:])
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "bad.png").write_bytes(b"not a picture")
    cases = [
        (
            ["text", "bad.txt", "out.h5", "--length", "4"],
            "bad.txt: byte 17 is not UTF-8; convert the file to UTF-8, or give --units bytes",
        ),
        (
            ["audio", "a.wav", "b.wav", "out.h5", "--length", "4"],
            "b.wav: 44100 numbers per second, but a.wav has 8000; give --rate R",
        ),
        (
            ["audio", "a.wav", "float.wav", "out.h5", "--length", "4"],
            "float.wav: not a WAV file of 8, 16, 24 or 32 bit PCM",
        ),
        (["text", "bad.txt", "bad.txt", "--length", "4"], "bad.txt: the command uses this file already"),
        (["images", "pictures", "out.h5", "--size", "4"], "bad.png: not a readable picture"),
        (
            ["fields", "out.h5", "--size", "3", "--rows", "4", "--slope", "-1.7"],
            "argument --size: '3' is not an integer from 4 to",
        ),
        (
            ["fields", "out.h5", "--size", "64", "--rows", "4", "--slope", "-9"],
            "fields: with slope -9, rounding to float32 hides the faintest waves",
        ),
    ]
    for arguments, message in cases:
        ended = hpcgen(ranks, "prepare", *arguments)
        assert ended.status == 2 and message in ended.one_line()
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("ranks", [1, 3])
def test_bad_pictures_are_named_and_left_out(hpcgen, tmp_path, ranks):
    for i in range(4):
        Image.new("L", (4, 4)).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(b"not a picture")
    ended = hpcgen(ranks, "prepare", "images", tmp_path, tmp_path / "out.h5", "--size", "4", "--skip-bad")
    assert ended.status == 0 and "out.h5: 3 samples of 4 x 4 x 3" in ended.out
    assert ended.err.startswith(str(tmp_path / "2.png: not a readable picture"))
    assert ended.err.endswith("; left out\n") and ended.err.count("\n") == 1


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_run_folder_of_another_configuration_keeps_what_it_has(hpcgen, run_file, tmp_path, ranks):
    assert hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", "--set", "train.steps=2").status == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", "--set", "model.latent=9")
    assert ended.status == 2 and "model.latent: 9, not 100" in ended.one_line()
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_folder_that_cannot_be_written(hpcgen, run_file, tmp_path, ranks):
    (tmp_path / "file").touch()
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "file" / "run")
    assert ended.status == 2 and "cannot write there" in ended.one_line()
    ended = hpcgen(ranks, "prepare", "digits", tmp_path / "file" / "x.h5")
    assert ended.status == 2 and "cannot write there" in ended.one_line()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(hpcgen, run_file, tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    ended = hpcgen(2, "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 2 and "cannot write there" in ended.one_line()


@pytest.mark.parametrize("ranks", [1, 3])
def test_what_cannot_be_written_is_refused_before_the_work(hpcgen, run_file, tmp_path, ranks):
    assert hpcgen(0, "train", run_file, "--run", tmp_path / "run", "--set", "train.steps=2").status == 0
    (tmp_path / "file").touch()
    ended = hpcgen(
        ranks, "train", run_file, "--run", tmp_path / "other", "--timings", tmp_path / "file" / "t.json"
    )
    assert (
        ended.status == 2 and "cannot write there" in ended.one_line() and not (tmp_path / "other").exists()
    )
    for option, name in [
        ("--png", tmp_path),
        ("--out", tmp_path / "file" / "x.npy"),
        ("--out", tmp_path / "file" / "x.h5"),
    ]:
        ended = hpcgen(ranks, "sample", tmp_path / "run", option, name)
        assert ended.status == 2, name
        ended.one_line()


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train"], "the following arguments are required: RUN.toml"),
        (["train", "missing.toml"], "missing.toml: No such file or directory"),
        (["trian"], "invalid choice: 'trian'"),
        (["prepare", "digits", "--size", "0", "x.h5"], "'0' is not an integer from 1 to 4096"),
        (["prepare", "digits", "."], ".: is a folder; name a file"),
        (["prepare", "array", ".", "x.h5"], ".: is a folder"),
        (["prepare", "array", "x.npy", "x.h5", "--memory", "1GB"], "'1GB' is not a size of at least 128MiB"),
        (["sample", "missing.h5", "--count", "many", "--out", "x.h5"], "'many' is not an integer from 1"),
        (["inspect", "missing.h5"], "missing.h5: no such file"),
        (["compare", "missing.h5", "missing.h5"], "missing.h5: no such file"),
        (["sample", "missing.h5", "--out", "x.h5"], "missing.h5: no such file"),
        (["sample", "missing.h5", "--out", "x.bin"], "must end in .h5, .npy, .txt (text) or .wav (audio)"),
        (["sample", "missing.h5"], "missing.h5: no such file"),
        (["evaluate", "missing.h5", "data.h5"], "missing.h5: no such file"),
    ],
)
def test_command_line(hpcgen, ranks, arguments, message):
    ended = hpcgen(ranks, *arguments)
    assert ended.status == 2 and message in ended.one_line()
