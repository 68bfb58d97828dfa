"""The commands as users type them."""

import json
import struct

import h5py
import numpy as np
import pytest
from PIL import Image


def test_help_and_version(hpcgen):
    for ranks in (0, 2):
        ended = hpcgen(ranks, "--version")
        assert ended.status == 0 and ended.out.startswith("hpcgen 0.") and ended.out.count("\n") == 1
        ended = hpcgen(ranks, "train", "--help")
        assert ended.status == 0 and ended.out.count("--fresh ") == 1


@pytest.fixture
def originals(tmp_path, random):
    """One source of each kind: the arguments of `hpcgen prepare` and the shape that its samples have."""
    images = random.integers(0, 255, (30, 6, 5), np.uint8)
    (tmp_path / "images").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 30, 6, 5) + images.tobytes())
    (tmp_path / "labels").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 30) + bytes(30))
    (tmp_path / "batch.bin").write_bytes(random.integers(0, 9, (4, 3073), np.uint8).tobytes())
    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(random.integers(0, 255, (7, 9, 12, 3), np.uint8)):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{i}.png")
    np.save(tmp_path / "spectra.npy", random.standard_normal((20, 33)))
    return {
        "digits": (["--size", "12"], (1797, 12, 12, 1)),
        "idx": ([tmp_path / "images", "--labels", tmp_path / "labels"], (30, 6, 5, 1)),
        "cifar": ([tmp_path / "batch.bin"], (4, 32, 32, 3)),
        "images": ([tmp_path / "pictures", "--size", "8"], (7, 8, 8, 3)),
        "array": ([tmp_path / "spectra.npy"], (20, 33)),
    }


def test_prepare_makes_the_same_file_at_any_number_of_ranks(hpcgen, originals, tmp_path):
    for name, (arguments, shape) in originals.items():
        for ranks in (1, 3):
            ended = hpcgen(ranks, "prepare", name, *arguments, tmp_path / f"{name}-{ranks}.h5")
            assert ended.status == 0 and ended.err == "" and ended.out.count("\n") == 1
        with h5py.File(tmp_path / f"{name}-1.h5") as one, h5py.File(tmp_path / f"{name}-3.h5") as three:
            assert one["samples"].shape == shape
            assert one["samples"][...].tobytes() == three["samples"][...].tobytes()
            assert np.array_equal(one["checksums/samples"], three["checksums/samples"])
        ended = hpcgen(2, "inspect", tmp_path / f"{name}-3.h5")
        assert (
            ended.status == 0
            and "every checksum is correct" in ended.out
            and ended.out.count("data file") == 1
        )


@pytest.mark.parametrize("data", ["array", "cifar"])
def test_any_data_trains_samples_and_is_drawn(hpcgen, originals, tmp_path, data):
    arguments, shape = originals[data]
    assert hpcgen(0, "prepare", data, *arguments, tmp_path / "data.h5").status == 0
    (tmp_path / "run.toml").write_text(
        f'data.path = "{tmp_path / "data.h5"}"\ntrain = {{ steps = 3, lanes = 2, lane_size = 2 }}\n'
    )
    timings = tmp_path / "timings.json"
    ended = hpcgen(2, "train", tmp_path / "run.toml", "--run", tmp_path / "run", "--timings", timings)
    assert ended.status == 0 and ended.err == ""
    lines = ended.out.splitlines()
    assert lines[-3:] == [
        f"run         {tmp_path / 'run'}",
        f"checkpoint  {tmp_path / 'run' / 'checkpoints' / 'step-00000003.h5'}",
        f"samples     {tmp_path / 'run' / 'samples' / 'step-00000003.png'}",
    ]
    with Image.open(tmp_path / "run" / "samples" / "step-00000003.png") as image:
        assert min(image.size) > 50
    seconds = json.loads(timings.read_text())
    assert len(seconds) == 2 and {"data", "compute", "exchange", "update", "hooks", "total"} <= set(
        seconds[0]
    )
    ended = hpcgen(
        2,
        "sample",
        tmp_path / "run",
        "--count",
        "5",
        "--out",
        tmp_path / "new.h5",
        "--png",
        tmp_path / "new.png",
    )
    assert ended.status == 0
    with h5py.File(tmp_path / "new.h5") as file:
        assert file["samples"].shape == (5, *shape[1:])


def test_the_default_run_folder_is_named_after_the_run_file(start, run_file, tmp_path, hpcgen, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hpcgen(1, "train", run_file, "--set", "train.steps=1").status == 0
    assert (tmp_path / "runs" / "run" / "checkpoints" / "step-00000001.h5").exists()


def test_text_from_files_to_measures(hpcgen, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("Größe und Übermaß; " * (40 + i))
    files = [tmp_path / f"{i}.txt" for i in range(3)]
    assert hpcgen(3, "prepare", "text", *files, tmp_path / "text.h5", "--length", "10").status == 0
    (tmp_path / "run.toml").write_text(
        f'data.path = "{tmp_path / "text.h5"}"\nmodel = {{ kind = "rvae", hidden = 8 }}\n'
        "train = { steps = 3, lanes = 3, lane_size = 4 }\n"
    )
    assert (
        hpcgen(3, "train", tmp_path / "run.toml", "--run", tmp_path / "run", "--progress", "off").status == 0
    )
    said = [hpcgen(ranks, "sample", tmp_path / "run", "--count", "3").out for ranks in (0, 2)]
    assert said[0] == said[1] and said[0].count("----------------") == 2
    for ranks in (1, 3):
        ended = hpcgen(
            ranks, "evaluate", tmp_path / "run", tmp_path / "text.h5", "--json", tmp_path / f"{ranks}.json"
        )
        assert ended.status == 0 and "bits_a_character" in ended.out and ended.err == ""
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "3.json").read_bytes()
