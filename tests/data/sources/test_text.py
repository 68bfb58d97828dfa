import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpi4py import MPI

from hpcgen.data.reading import DataFiles
from hpcgen.data.sources.text import Text
from hpcgen.errors import InputError

# One, two, three and four bytes in UTF-8, and what is like their insides.
CHARACTERS = "az\n\x7f\x80é߿ࠀ€\ufeff\uffff𐀀🙂\U0010ffff"
PIECES = [character.encode() for character in CHARACTERS] + [
    b"\x80",
    b"\xbf\x80",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f",
    b"\xff",
]
drawn = settings(derandomize=True, deadline=None, max_examples=200)


def decoded(source, samples):
    return "".join(source.vocabulary[token] for token in samples.reshape(-1))


@pytest.mark.parametrize("units", ["characters", "bytes"])
def test_windows_follow_each_other_over_all_files(comm, put, prepared, in_pieces, units):
    contents = ["Grüße, 世界! 🙂\r\n" * 20, "", "x", "Zweites Buch\n" * 9]
    paths = [put(f"{i}.txt", content.encode()) for i, content in enumerate(contents)]
    datasets, attributes = prepared(lambda: Text(paths, 7, units, chunk=10), keep_order=True)
    expected = "".join(contents) if units == "characters" else "".join(contents).encode().decode("latin-1")
    vocabulary = sorted(set(expected)) if units == "characters" else list(map(chr, range(256)))
    assert datasets["vocabulary"].dtype == np.uint32 and list(map(chr, datasets["vocabulary"])) == vocabulary
    samples = datasets["samples"]
    assert samples.dtype == np.uint8 and samples.shape == (len(expected) // 7, 7)
    assert "".join(vocabulary[token] for token in samples.reshape(-1)) == expected[: samples.size]
    assert (attributes["kind"], attributes["units"], attributes["source"]) == (
        "text",
        units,
        "0.txt, 1.txt, 2.txt, 3.txt",
    )
    assert (attributes["low"], attributes["high"]) == (0, len(vocabulary) - 1)
    assert np.array_equal(in_pieces(Text(paths, 7, units)).samples, samples)


def test_a_data_file_knows_its_vocabulary(put, prepared, folder):
    path = put("abc.txt", b"cabbage")
    prepared(lambda: Text([path], 2))
    with DataFiles([folder / "all.h5"]) as data:
        assert (data.schema.kind, data.schema.vocabulary, data.schema.units) == (
            "text",
            "abceg",
            "characters",
        )


@drawn
@given(st.lists(st.text(CHARACTERS), min_size=1, max_size=3), st.integers(1, 9), st.integers(1, 4))
def test_chunks_of_any_size_hold_the_same_characters(tmp_path_factory, in_pieces, texts, chunk, length):
    folder, whole = tmp_path_factory.mktemp("text"), "".join(texts)
    paths = [folder / str(i) for i in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_bytes(text.encode())
    if len(set(whole)) > 1 and len(whole) >= length:
        source = Text(paths, length, chunk=chunk)
        samples = in_pieces(source).samples
        assert decoded(source, samples) == whole[: len(whole) // length * length]
        assert source.vocabulary == "".join(sorted(set(whole)))


@drawn
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.integers(1, 9))
@example(b"\x80", 1)
@example(b"ab\xe2\x82", 2)
def test_the_first_byte_that_is_not_utf_8_is_named(tmp_path_factory, content, chunk):
    path = tmp_path_factory.mktemp("text") / "bad.txt"
    path.write_bytes(b"ab" + content)
    try:
        (b"ab" + content).decode()
    except UnicodeDecodeError as error:
        with pytest.raises(InputError, match=rf"bad.txt: byte {error.start} is not UTF-8; .* --units bytes"):
            Text([path], 1, chunk=chunk).survey(MPI.COMM_SELF)
    else:
        Text([path], 1, chunk=chunk).survey(MPI.COMM_SELF)


def test_all_ranks_name_the_first_bad_byte(comm, put):
    path = put("bad.txt", b"ab" * 10 + b"\xff" + b"cd" * 10 + b"\xff")
    with pytest.raises(InputError, match="byte 20 is not UTF-8"):
        Text([path], 4, chunk=3).survey(comm)


@pytest.mark.parametrize("different, dtype", [(256, np.uint8), (257, np.uint16), (65_536, np.uint16)])
def test_large_vocabularies(put, prepared, different, dtype):
    path = put("many.txt", "".join(map(chr, range(0x10000, 0x10000 + different))).encode())
    datasets, attributes = prepared(lambda: Text([path], 1), keep_order=True)
    assert datasets["samples"].dtype == dtype and attributes["high"] == different - 1
    assert np.array_equal(datasets["samples"][:, 0], np.arange(different))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "x.txt: 0 characters are fewer than --length 4"),
        ("äöü".encode(), "x.txt: 3 characters are fewer than --length 4"),
        (b"\n" * 9, r"x.txt: all characters are '\\n'; there is nothing to learn"),
        (
            "".join(map(chr, range(0x10000, 0x20001))).encode(),
            "65,537 different characters .* 65,536; give --units bytes",
        ),
    ],
)
def test_text_that_cannot_be_used(comm, put, content, message):
    with pytest.raises(InputError, match=message):
        Text([put("x.txt", content)], 4).survey(comm)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="missing.txt: no such file"):
        Text([tmp_path / "missing.txt"], 4)
    with pytest.raises(InputError, match="Is a directory"):
        Text([tmp_path], 4)


def test_files_that_the_system_refuses(put, refused):
    path = put("a.txt", b"cabbage")
    source = Text([path], 2)
    source.survey(MPI.COMM_SELF)
    with refused(path):
        Text([path], 2)
    with refused(path):
        source.survey(MPI.COMM_SELF)
    with refused(path):
        source.read(0, 2)


def test_of_many_files_some_are_named(tmp_path):
    paths = [tmp_path / f"{i}.txt" for i in range(9)]
    for path in paths:
        path.touch()
    assert Text(paths, 4).name == "0.txt, 1.txt, 2.txt, 6 more"
