import numpy as np
import pytest
from PIL import Image

from hpcgen.data.prepare import prepare
from hpcgen.data.sources.images import Images
from hpcgen.errors import InputError

FORMATS = {
    "RGB": ["bmp", "png", "jpg", "ppm", "tga", "tif", "webp", "ico"],
    "P": ["bmp", "png", "gif", "tif"],
    "CMYK": ["jpg", "tif"],
    "RGBA": ["png", "tif", "webp"],
    "1": ["bmp", "png", "tif"],
    "L": ["png", "jpg"],
    "LA": ["png"],
    "I;16": ["png", "tif"],
    "YCbCr": ["tif"],
    "LAB": ["tif"],
}


def test_images(tmp_path, random, in_pieces):
    (tmp_path / "sub").mkdir()
    wide = random.integers(0, 255, (16, 32, 3), np.uint8)
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide[..., 0]).save(tmp_path / "sub" / "b.jpg")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "data.h5").write_text("nor is this, though Pillow knows the ending")
    samples = in_pieces(Images(tmp_path, 16)).samples
    assert np.array_equal(samples[0], wide[:, 8:24]) and samples.shape == (2, 16, 16, 3)
    assert in_pieces(Images(tmp_path, 8, channels=1)).samples.shape == (2, 8, 8, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "mode, ending", [(mode, ending) for mode, endings in FORMATS.items() for ending in endings]
)
def test_any_format_and_mode(tmp_path, in_pieces, mode, ending, channels):
    pixels = np.repeat(np.repeat(np.array([[0, 255]], np.uint8), 16, axis=0), 8, axis=1)
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    (deep if mode == deep.mode else Image.fromarray(pixels).convert("RGB").convert(mode)).save(
        tmp_path / f"x.{ending}"
    )
    samples = in_pieces(Images(tmp_path, 16, channels)).samples
    assert np.abs(samples[0].astype(int) - pixels[..., None]).max() <= 2


@pytest.mark.parametrize("mode, ending", [("RGBA", "png"), ("LA", "png"), ("RGBA", "gif")])
def test_what_is_transparent_is_white(tmp_path, mode, ending):
    black = np.zeros((2, 2, 4), np.uint8)
    black[:, 0, 3] = 255
    Image.fromarray(black).convert(mode).save(tmp_path / f"x.{ending}")
    assert Images(tmp_path, 2, channels=1).read(0, 1).samples[0, ..., 0].tolist() == [[0, 255], [0, 255]]


def test_a_palette_with_shades_of_transparency(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8))
    picture.putpalette(bytes(12))
    picture.save(tmp_path / "x.png", transparency=bytes([255, 170, 85, 0]))
    assert Images(tmp_path, 2).read(0, 1).samples[0, ..., 0].tolist() == [[0, 85], [170, 255]]


def test_images_of_sixteen_bits_keep_their_shades(tmp_path):
    shades = (np.arange(64).reshape(8, 8) * 1000).astype(np.uint16)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    samples = Images(tmp_path, 8, channels=1).read(0, 1).samples
    assert np.array_equal(samples[0, ..., 0], shades >> 8)


def test_bad_images(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Images(tmp_path / "missing", 8)
    with pytest.raises(InputError, match="holds no picture"):
        Images(tmp_path, 8)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(
        InputError, match=r"broken.png: not a readable picture .* remove it, or give --skip-bad"
    ):
        Images(tmp_path, 8).read(0, 1)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "broken.tif")
    with pytest.raises(
        InputError, match="broken.tif: .*floating-point numbers; save them as .npy for 'hpcgen prepare array'"
    ):
        Images(tmp_path, 8).read(1, 2)


@pytest.mark.parametrize("good", [0, 1, 5])
def test_bad_images_are_named_once_and_left_out(comm, folder, prepared, good, caplog):
    if comm.rank == 0:
        for i in range(7):
            Image.new("L", (4, 4), i).save(folder / f"{i}.png")
        for i in range(good, 7):
            (folder / f"{i}.png").write_bytes(b"broken")
    comm.Barrier()
    if good:
        datasets, _ = prepared(lambda: Images(folder, 4, 1, True), keep_order=True)
        assert datasets["samples"][:, 0, 0, 0].tolist() == list(range(good))
    caplog.clear()
    try:
        prepare(lambda: Images(folder, 4, 1, True), folder / "out.h5", comm)
    except InputError as error:
        assert good == 0 and "holds no samples" in str(error)
    named = [record.getMessage() for record in caplog.records]
    assert len(named) == 7 - good and all(
        f"{i}.png: not a readable picture" in line for i, line in enumerate(named, good)
    )
