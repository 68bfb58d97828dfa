"""`hpcgen sample` for each kind of model, with the same samples at any number of ranks."""

import os
import wave

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from PIL import Image

from hpcgen.data.reading import DataFiles
from hpcgen.errors import InputError
from hpcgen.evaluation.evaluate import evaluate
from hpcgen.models.units import Interval
from hpcgen.parallel.operators.gather import Gather
from hpcgen.parallel.placement.network import divide
from hpcgen.sampling import generation, origins
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.sample import sample
from hpcgen.sampling.showing import LINE

KINDS = ("gan", "conditional", "vae", "rvae", "sound", "linear", "regressor")


def draw(path, comm, count=None, seed=0, out=None, png=None, **given):
    sample(path, comm, SampleOptions(count, seed, out, png, **given))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_the_same_at_any_number_of_ranks_and_count(comm, folder, trained, kind):
    path, data = trained(kind)
    given = {"inputs": data} if kind in ("linear", "regressor") else {}
    draw(path, comm, 150, 3, folder / "all.h5", **given)
    comm.Barrier()
    if comm.rank == 0:
        draw(path, MPI.COMM_SELF, 70, 3, folder / "one.npy", **given)
        with h5py.File(folder / "all.h5") as file, h5py.File(data) as original:
            assert file["samples"].shape == (150, *original["samples"].shape[1:])
            assert file["samples"].dtype == original["samples"].dtype
            assert np.array_equal(np.load(folder / "one.npy"), file["samples"][:70])
            if given:
                assert np.array_equal(file["inputs"], original["inputs"][:150])
            if kind == "conditional":
                assert np.array_equal(file["labels"], np.arange(150) % 10)
            assert kind == "regressor" or len(np.unique(file["samples"][...], axis=0)) > 75
    # What is drawn is a data file: it can be evaluated against.
    if kind == "gan":
        evaluate(path, folder / "all.h5", comm)


@pytest.fixture
def cells_only(monkeypatch):
    """No rank may put samples of these shapes together from their cells, or bring them to their units."""

    def cells_only(*shapes):
        whole, decode = Gather.whole, Interval.decode

        def watched(self, x):
            assert self.sizes not in {shape[: len(self.sizes)] for shape in shapes}, "a whole sample"
            return whole(self, x)

        def smaller(self, x):
            assert x.size < min(map(np.prod, shapes)), "a whole sample"
            return decode(self, x)

        monkeypatch.setattr(Gather, "whole", watched)
        monkeypatch.setattr(Interval, "decode", smaller)

    return cells_only


@pytest.mark.parametrize("ending", [".h5", ".npy"])
@pytest.mark.parametrize(
    "kind, given", [("volumes", {}), ("pictures", {}), ("pictures", {"reconstruct": True})]
)
@pytest.mark.parametrize("count, size", [(1, 1), (3, 1), (4, 1), (5, 2), (7, 4)])
def test_large_samples_are_written_by_cells(
    comm, folder, trained, monkeypatch, cells_only, kind, given, ending, count, size
):
    """The same bytes at any number of ranks, in blocks of one sample or more."""
    path, data = trained(kind)
    given = dict.fromkeys(given, data)
    monkeypatch.setattr(origins, "SAMPLES_A_BLOCK", size)
    if comm.rank == 0:
        draw(path, MPI.COMM_SELF, count, 3, folder / f"one{ending}", **given)
    comm.Barrier()
    # No rank may have all cells of a sample.
    if comm.size > 1 and count == 1:
        cells_only((32, 32, 32, 1), (180, 100, 3))
    draw(path, comm, count, 3, folder / f"all{ending}", **given)
    assert (folder / f"all{ending}").read_bytes() == (folder / f"one{ending}").read_bytes()


@pytest.mark.parametrize("ending", [".h5", ".npy", ".png"])
@pytest.mark.parametrize(
    "kind, cells, given", [("volumes", 8, {}), ("pictures", 3, {}), ("pictures", 3, {"reconstruct": True})]
)
def test_any_number_of_ranks_may_share_a_sample(
    comm, folder, trained, monkeypatch, kind, cells, given, ending
):
    path, data = trained(kind)
    given, teams = dict.fromkeys(given, data), []
    monkeypatch.setattr(origins, "SAMPLES_A_BLOCK", 1)

    def noted(model, team):
        teams.append(team.comm.size)
        divide(model, team)

    def draw_to(name, comm, space=0):
        target = folder / f"{name}{ending}"
        draw(path, comm, 5, 3, **{"png" if ending == ".png" else "out": target}, space=space, **given)
        return target

    if comm.rank == 0:
        draw_to("one", MPI.COMM_SELF)
    comm.Barrier()
    monkeypatch.setattr(generation, "divide", noted)
    for space in (n for n in range(1, min(comm.size, cells) + 1) if comm.size % n == 0):
        made = draw_to(f"of {space}", comm, space)
        assert made.read_bytes() == (folder / f"one{ending}").read_bytes()
        assert teams.pop() == space


@pytest.mark.parametrize("kind", ["volumes", "pictures"])
def test_samples_of_cells_are_data_of_the_same_kind(comm, folder, trained, kind):
    path, data = trained(kind)
    draw(path, comm, 2, 3, folder / "x.h5")
    with DataFiles([folder / "x.h5"]) as made, DataFiles([data]) as original:
        for name in ("shape", "dtype", "kind"):
            assert getattr(made.schema, name) == getattr(original.schema, name)
        samples = made.read(0, 2).samples
        low, high = (0, 255) if kind == "pictures" else (samples.min(), samples.max())
        assert made.schema.low <= low and high <= made.schema.high


def test_a_label(comm, folder, trained):
    path, _ = trained("conditional")
    draw(path, comm, 20, 0, folder / "seven.h5", label=7)
    draw(path, comm, 20, 0, folder / "turns.h5")
    with h5py.File(folder / "seven.h5") as seven, h5py.File(folder / "turns.h5") as turns:
        assert np.all(seven["labels"][...] == 7)
        same = [np.array_equal(a, b) for a, b in zip(seven["samples"], turns["samples"])]
        assert same == [i % 10 == 7 for i in range(20)]


def test_reconstructions_stand_after_their_originals(comm, folder, trained, said):
    path, data = trained("rvae")
    draw(path, comm, 5, out=folder / "r.npy", reconstruct=data)
    said()
    draw(path, comm, 5, reconstruct=data)
    if comm.rank:
        return  # the first rank alone has all samples
    pieces = said()[1].split(f"\n{LINE}\n")
    with h5py.File(data) as file:
        letters = file["vocabulary"][...]
        originals = ["".join(map(chr, letters[row])) for row in file["samples"][:5]]
    reconstructed = ["".join(map(chr, letters[row])) for row in np.load(folder / "r.npy")]
    assert pieces[::2] == originals and pieces[1::2] == reconstructed


def test_interpolation_leads_from_code_to_code(comm, folder, trained):
    """The ends of each path are the samples of the codes themselves."""
    path, data = trained("vae")
    draw(path, comm, 3, 5, folder / "codes.npy")
    draw(path, comm, 18, 5, folder / "path.npy", interpolate=9)
    codes, steps = np.load(folder / "codes.npy"), np.load(folder / "path.npy")
    for end, code in ((0, 0), (8, 1), (9, 1), (17, 2)):
        assert np.abs(steps[end].astype(int) - codes[code]).max() <= 1
    draw(path, comm, None, 5, folder / "between.npy", reconstruct=data, interpolate=2)
    assert len(np.load(folder / "between.npy")) == 2 * 1796


def test_text_and_sound(comm, folder, trained):
    path, _ = trained("rvae")
    draw(path, comm, 70, out=folder / "t.txt")
    assert len((folder / "t.txt").read_text().split(f"\n{LINE}\n")) == 70
    assert (path / "samples" / "step-00000003.txt").exists()
    path, _ = trained("sound")
    draw(path, comm, 10, out=folder / "s.wav", png=folder / "s.png")
    with wave.open(str(folder / "s.wav")) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert sound.getnframes() == 10 * (64 + 1600)
    assert (folder / "s.png").exists() and (path / "samples" / "step-00000003.wav").exists()


@pytest.mark.parametrize(
    "kind, keys, message",
    [
        ("gan", {"inputs": "x.npy"}, "model.kind = gan does not use --inputs"),
        (
            "gan",
            {"reconstruct": "digits.h5"},
            "gan has no encoder; --reconstruct and --interpolate need vae or rvae",
        ),
        ("gan", {"interpolate": 3}, "gan has no encoder"),
        ("gan", {"label": 3}, "--label 3: the model is not conditional"),
        ("gan", {"out": None}, "nothing to write; give --out F.h5"),
        ("gan", {"out": "x.txt"}, "cannot show samples of kind image; use .png"),
        ("gan", {"out": "x.wav"}, "cannot show samples of kind image"),
        ("conditional", {"label": 10}, "--label 10: the model has labels 0 to 9"),
        ("linear", {}, "model.kind = linear needs --inputs FILE"),
        ("linear", {"inputs": "digits.npy"}, r"rows of \(2,\) numbers, but the model needs 3"),
        ("linear", {"inputs": "columns.h5", "count": 301}, "--count 301: the file gives 300 samples"),
        ("classifier", {}, "a classifier draws no samples"),
        ("linear", {"inputs": "nan.npy"}, "row 1 of the inputs holds NaN"),
        ("linear", {"inputs": "none.npy"}, "none.npy: 0 rows; 1 or more are needed"),
        ("linear", {"inputs": "x.csv"}, ".npy, .npz and HDF5 files can be read"),
        ("vae", {"reconstruct": "one.h5", "interpolate": 3}, "one.h5: 1 rows; 2 or more are needed"),
        ("vae", {"reconstruct": "one.h5", "out": "one.h5"}, "one.h5: the command uses this file already"),
        ("rvae", {"png": "x.png"}, "cannot show samples of kind text; use .txt"),
        ("vae", {"reconstruct": "text.h5"}, r"text.h5: shape of samples is \(12,\), but \(8, 8, 1\) in"),
    ],
)
def test_what_does_not_fit(comm, folder, trained, data, kind, keys, message):
    path, _ = trained(kind)
    for name in ("text", "columns"):
        data(name)
    if comm.rank == 0:
        np.save(folder / "digits.npy", np.zeros((5, 2)))
        np.save(folder / "nan.npy", np.array([[1.0, 2, 3], [4, np.nan, 6]]))
        np.save(folder / "none.npy", np.zeros((0, 3)))
        (folder / "x.csv").write_text("1,2,3")
        with h5py.File(folder / "one.h5", "w") as file:
            file["samples"] = np.zeros((1, 8, 8, 1), np.uint8)
            file.attrs["kind"] = "image"
    comm.Barrier()
    files = ("inputs", "reconstruct", "out", "png")
    keys = {name: folder / value if name in files and value else value for name, value in keys.items()}
    with pytest.raises(InputError, match=message):
        draw(path, comm, **{"out": folder / "x.h5", **keys})


def deep(folder):
    """Return a folder whose files have longer paths than MPI-IO can write. It is not there."""
    return folder / ("d" * 120) / ("e" * 120)


def test_only_data_files_have_paths_that_suit_mpi_io(comm, folder, trained):
    """MPI-IO writes them, and nothing else."""
    path, _ = trained("sound")
    draw(path, comm, 3, out=deep(folder) / "x.npy", png=deep(folder) / "x.png")
    draw(path, comm, 3, out=deep(folder) / "x.wav")
    path, _ = trained("rvae")
    draw(path, comm, 3, out=deep(folder) / "x.txt")
    comm.Barrier()
    assert sorted(os.listdir(deep(folder))) == ["x.npy", "x.png", "x.txt", "x.wav"]


def test_a_data_file_with_a_long_path_is_refused_before_samples_are_made(comm, folder, trained, monkeypatch):
    path, _ = trained("gan")
    monkeypatch.setattr("hpcgen.sampling.sample.write", None)
    for ending in (".h5", ".hdf5"):
        with pytest.raises(InputError, match="bytes too long for MPI-IO"):
            draw(path, comm, 3, out=deep(folder) / f"x{ending}")


def test_pictures_keep_pairs_and_paths_in_one_row(comm, folder, trained):
    path, data = trained("vae")
    draw(path, comm, 5, png=folder / "r.png", reconstruct=data)
    draw(path, comm, 14, png=folder / "i.png", interpolate=7)
    comm.Barrier()
    with Image.open(folder / "r.png") as pairs, Image.open(folder / "i.png") as paths:
        cell = 56 + 4
        assert pairs.size == (4 * cell + 4, 3 * cell + 4)
        assert paths.size == (7 * cell + 4, 2 * cell + 4)
