"""What can be read: every mode, depth, orientation and profile, from every kind of source."""

import base64
import io
import itertools

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps, features
from skimage.color import rgb2lab

from cinn_app.imaging import read_photograph, read_preview, sample_photographs

RAMP = np.tile(np.arange(0, 256, 5, dtype=np.uint8), (20, 1))  # 20 x 52
COLOURS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
# RAMP, turned by its orientation, as pillow-heif writes it.
HEIC = (
    "AAAAHGZ0eXBoZWl4AAAAAG1pZjFoZWl4bWlhZgAAAcFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAA"
    "AAAERAAAIAAQAAAAAB5QABAAAAAAAAAIIAAgAAAAACZwABAAAAAAAAADgAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVp"
    "bmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABAGlwcnAAAADfaXBjbwAAAHFodmNDAQQIAAAAn/gAAAAAHvAA/Pz4+AAADwNgAAEAF0"
    "ABDAH//wQIAAADAJ/4AAADAAAeugJAYQABACZCAQEECAAAAwCf+AAAAwAAHsCCBBZbqrprmwIAAAMAMgAAAwACEGIAAQAGRAHBc8GJAAAAE2Nv"
    "bHJuY2x4AAEADQAGgAAAABRpc3BlAAAAAAAAAEAAAABAAAAAKGNsYXAAAAA0AAAAAQAAABQAAAAB////9AAAAAL////UAAAAAgAAAA5waXhpAA"
    "AAAAEIAAAACWlyb3QDAAAAGWlwbWEAAAAAAAAAAQABBoECAwWEhgAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAAwm1kYXQAAAB+KAGuCeQ3"
    "yxWgJHBUFeyxRlHIAcL87p88OiAiEhBzptGTvHyfJjJ4qi8nsGLYjq3vFVb45AS9VNeOsD0Ior5Mrm/X9X9w/YCm3Itvnci7JBvDnx1Pp/7ROd"
    "n5xDrSgGXfmO3MgZCkz6pArtklpnJwmykhl5Unqc+F1buyuhGAAAAABkV4aWYAAE1NACoAAAAIAAIBEgADAAAAAQAGAAABOwACAAAACAAAACYA"
    "AAAAR3JhbmRwYQA="
)


def gray_lightness(gray: np.ndarray) -> np.ndarray:
    """Lightness of gray values in 0..1."""
    return rgb2lab(np.repeat(gray[..., None], 3, axis=-1))[..., 0]


def file_of(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def assert_lightness(photograph, expected, atol=0.05):
    assert photograph.lightness.dtype == torch.float32
    assert photograph.lightness.shape == (1, *expected.shape)
    np.testing.assert_allclose(photograph.lightness[0].numpy(), expected, atol=atol)


# Modes


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("CMYK", "TIFF"), *itertools.product(["L", "LA", "RGB", "RGBA", "P"], ["TIFF", "PNG"])],
)
def test_gray_in_any_mode(tmp_path, mode, file_format):
    path = tmp_path / f"gray.{file_format.lower()}"
    path.write_bytes(file_of(Image.fromarray(RAMP).convert(mode), file_format))
    photograph = read_photograph(path)
    assert_lightness(photograph, gray_lightness(RAMP / 255), atol=0.05)
    assert (photograph.alpha is not None) == mode.endswith("A")
    assert photograph.warnings == ()
    assert photograph.size == (20, 52)
    assert photograph.metadata.format == file_format


def test_colour_in_8_bits():
    photograph = read_photograph(file_of(Image.fromarray(COLOURS), "PNG"), keep_colour=True)
    expected = rgb2lab(COLOURS)
    assert_lightness(photograph, expected[..., 0])
    np.testing.assert_allclose(photograph.ab.movedim(0, -1).numpy(), expected[..., 1:], atol=0.05)
    assert photograph.warnings == ("It is in colour already; only its lightness is used.",)


def test_chroma_is_kept_only_when_asked_for():
    content = file_of(Image.fromarray(COLOURS), "PNG")
    assert read_photograph(content).ab is None
    assert read_photograph(file_of(Image.fromarray(RAMP), "PNG"), keep_colour=True).ab is None


def test_black_and_white_in_1_bit():
    bits = RAMP > 127
    photograph = read_photograph(file_of(Image.fromarray(bits), "TIFF"))
    assert_lightness(photograph, np.where(bits, 100.0, 0.0))


def test_lab_tiff():
    lab = Image.merge("LAB", [Image.fromarray(RAMP), *[Image.new("L", (52, 20), 128)] * 2])
    assert_lightness(read_photograph(file_of(lab, "TIFF")), RAMP / 2.55, atol=1.0)


def test_palette_with_transparency():
    image = Image.fromarray(RAMP).convert("P")
    photograph = read_photograph(file_of(image, "PNG", transparency=0))
    assert set(np.unique(photograph.alpha)) == {0, 255}
    transparencies = bytes(range(256))  # Pillow warns of these when it converts them
    assert read_photograph(file_of(image, "PNG", transparency=transparencies)).alpha.max() > 200


def test_alpha_is_carried_through():
    alpha = np.random.default_rng(1).integers(0, 256, RAMP.shape, dtype=np.uint8)
    image = Image.fromarray(RAMP).convert("LA")
    image.putalpha(Image.fromarray(alpha))
    for file_format in ("PNG", "TIFF"):
        photograph = read_photograph(file_of(image, file_format))
        np.testing.assert_array_equal(photograph.alpha, alpha)
        assert_lightness(photograph, gray_lightness(RAMP / 255))


# Depth

DEEP = np.linspace(20_000, 20_100, 52).astype(np.uint16)[None].repeat(20, axis=0)  # one step of 8 bits or less


@pytest.mark.parametrize("file_format", ["TIFF", "PNG", "PPM", "JPEG2000"])
def test_16_bits_keep_their_precision(file_format):
    photograph = read_photograph(file_of(Image.fromarray(DEEP), file_format))
    assert_lightness(photograph, gray_lightness(DEEP / 65535), atol=1e-3)
    steps = photograph.lightness[0, 0].diff()[np.diff(DEEP[0]) > 0]
    assert len(steps) == 51 and steps.min() > 1e-3


def test_16_bits_of_big_endian_tiff():
    image = Image.frombytes("I;16B", (52, 20), DEEP.astype(">u2").tobytes())
    assert_lightness(read_photograph(file_of(image, "TIFF")), gray_lightness(DEEP / 65535), atol=1e-3)


def test_16_bits_with_white_as_zero():
    content = file_of(Image.fromarray(DEEP), "TIFF", tiffinfo={262: 0})
    assert_lightness(read_photograph(content), gray_lightness(1 - DEEP / 65535), atol=1e-3)


def test_16_bits_through_a_gray_profile_keep_their_precision():
    values = np.linspace(0, 65535, 1000).astype(np.uint16)[None]
    through_8_bits = read_photograph(
        file_of(Image.fromarray((values // 257).astype(np.uint8)), "TIFF", icc_profile=gray_profile(1.0))
    )
    photograph = read_photograph(file_of(Image.fromarray(values), "TIFF", icc_profile=gray_profile(1.0)))
    assert_lightness(photograph, through_8_bits.lightness[0].numpy(), atol=7)  # dark steps of 8 bits are wide
    steps = photograph.lightness[0, 0].diff()
    assert (steps > 1e-4).sum() > 900 and steps.min() > -1e-4


@pytest.mark.parametrize(
    ("low", "high", "warned"), [(0.0, 1.0, False), (0.2, 0.7, False), (-2.0, 6.0, True), (0.0, 255.0, True)]
)
def test_float_tiff_is_scaled_only_beyond_the_unit_range(low, high, warned):
    values = np.linspace(low, high, 52, dtype=np.float32)[None].repeat(20, axis=0)
    photograph = read_photograph(file_of(Image.fromarray(values), "TIFF"))
    expected = (values - low) / (high - low) if warned else values
    assert_lightness(photograph, gray_lightness(expected))
    assert any("scaled" in warning for warning in photograph.warnings) == warned


def test_float_tiff_with_holes():
    values = np.full((4, 4), 0.5, np.float32)
    values[0] = np.nan, np.inf, -np.inf, 0.5
    for source in values, file_of(Image.fromarray(values), "TIFF"):
        photograph = read_photograph(source)
        np.testing.assert_allclose(photograph.lightness[0, 0], [0, 100, 0, 53.39], atol=0.1)
        assert photograph.warnings == (
            "6% of its values are not numbers; they were replaced by black.",
            "12% of its values are infinite; they were clipped to the range of the others.",
        )


def test_infinite_light_is_as_bright_as_the_brightest():
    photograph = read_photograph(np.array([[-np.inf, -3.0, 0.0, 3.0, np.inf]]))
    assert_lightness(photograph, gray_lightness(np.array([[0, 0, 0.5, 1, 1]])))
    assert [str(warning).split(";")[0] for warning in photograph.warnings] == [
        "Its values, between -3 and 3, were scaled to 0..1.",
        "40% of its values are infinite",
    ]
    transparent = np.dstack([np.full((1, 3), 0.5), [[np.inf, -np.inf, np.nan]]])
    np.testing.assert_array_equal(read_photograph(transparent).alpha, [[255, 0, 0]])


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_comes_out_upright(orientation, file_format, tmp_path):
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :16], upright[:16, 32:] = 255, 128  # white top left, gray top right
    # How a camera stores an upright view under each orientation: the inverse of what a viewer does.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "Grandpa"
    image = Image.fromarray(np.ascontiguousarray(stored)).convert("RGB" if file_format == "WEBP" else "L")
    options = {"lossless": True} if file_format == "WEBP" else {"quality": 95} if file_format == "JPEG" else {}
    content = file_of(image, file_format, exif=exif, **options)
    photograph = read_photograph(content)
    (tmp_path / "picture").write_bytes(content)  # Pillow reads files otherwise than what is in memory
    for read in (photograph, read_photograph(tmp_path / "picture"), read_preview(tmp_path / "picture", 48)):
        assert_lightness(read, gray_lightness(upright / 255), atol=2)
    carried = Image.Exif()
    carried.load(photograph.metadata.exif)
    assert ExifTags.Base.Orientation not in carried
    assert carried[ExifTags.Base.Artist] == "Grandpa"


def test_damaged_exif_does_not_cost_the_picture():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Grandpa"
    damaged = exif.tobytes().replace(b"\x01\x3b\0\x02", b"\x01\x09\0\x02")  # text where a number belongs
    photograph = read_photograph(file_of(Image.fromarray(RAMP), "JPEG", exif=damaged))
    assert photograph.warnings == ("Its EXIF block is damaged; the picture may lie on its side.",)


def test_garbage_in_place_of_exif_is_dropped():
    photograph = read_photograph(file_of(Image.fromarray(RAMP), "JPEG", exif=b"Exif\0\0" + b"garbage" * 20))
    assert photograph.size == RAMP.shape
    assert photograph.metadata.exif is None


# Profiles


def gray_profile(gamma: float) -> bytes:
    """A minimal ICC profile of gray with a power curve."""
    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + bytes(2)
    white = b"XYZ " + bytes(4) + b"".join(round(v * 65536).to_bytes(4, "big") for v in (0.9642, 1, 0.8249))
    description = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"gray\0" + bytes(78 + 1)
    tags, offset, body, table = {b"desc": description, b"wtpt": white, b"kTRC": curve}, 128 + 4 + 36, b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + (offset + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data
    size = (offset + len(body)).to_bytes(4, "big")
    header = size + bytes(4) + b"\x02\x10\0\0mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    header += b"".join(round(v * 65536).to_bytes(4, "big") for v in (0.9642, 1, 0.8249))
    return header.ljust(128, b"\0") + len(tags).to_bytes(4, "big") + table + body


def test_gray_goes_through_its_profile():
    photograph = read_photograph(
        file_of(Image.fromarray(RAMP), "TIFF", icc_profile=gray_profile(1.0)), keep_colour=True
    )
    y = RAMP / 255  # gamma 1: the values are luminances
    expected = np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)
    assert_lightness(photograph, expected, atol=1)
    assert photograph.ab is None
    assert photograph.warnings == ()


def test_an_rgb_profile_on_gray_is_read():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photograph = read_photograph(file_of(Image.fromarray(RAMP), "JPEG", quality=100, icc_profile=profile))
    assert_lightness(photograph, gray_lightness(RAMP / 255), atol=1)
    assert photograph.warnings == ()


@pytest.mark.parametrize("profile", [b"this is no profile", gray_profile(2.2)])
def test_a_broken_or_foreign_profile_is_ignored_with_a_warning(profile):
    photograph = read_photograph(file_of(Image.fromarray(COLOURS), "PNG", icc_profile=profile))
    assert_lightness(photograph, rgb2lab(COLOURS)[..., 0])
    assert any("profile" in warning for warning in photograph.warnings)


# Many frames, odd sizes, all sources


@pytest.mark.parametrize(
    ("file_format", "kind"), [("GIF", "frames"), ("WEBP", "frames"), ("PNG", "frames"), ("TIFF", "pages")]
)
def test_the_first_of_many_frames_is_used(file_format, kind):
    frames = [Image.new("L", (30, 20), shade) for shade in (255, 0, 100)]
    content = file_of(frames[0], file_format, save_all=True, append_images=frames[1:])
    photograph = read_photograph(content)
    assert_lightness(photograph, np.full((20, 30), 100.0), atol=1)
    assert photograph.warnings == (f"Only the first of 3 {kind} is used.",)


def test_a_camera_file_with_previews_needs_no_warning():
    photograph = read_photograph(
        file_of(Image.fromarray(RAMP), "MPO", save_all=True, append_images=[Image.new("L", (9, 9))])
    )
    assert photograph.size == RAMP.shape
    assert photograph.warnings == ()


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_odd_sizes(size):
    assert read_photograph(file_of(Image.new("L", size[::-1], 255), "PNG")).size == size


def test_all_sources_give_the_same(tmp_path):
    path = tmp_path / "ramp.png"
    image = Image.fromarray(RAMP)
    image.save(path)
    expected = read_photograph(path).lightness
    with path.open("rb") as file:
        sources = [str(path), path.read_bytes(), file, image, RAMP, RAMP[..., None], RAMP.astype(np.uint16) * 257]
        sources += [RAMP / 255, np.dstack([RAMP] * 3), np.dstack([RAMP, np.full_like(RAMP, 255)])]
        for source in sources:
            torch.testing.assert_close(read_photograph(source).lightness, expected, atol=1e-3, rtol=0)
        assert not file.closed


def test_a_matrix_is_gray():
    """Its rows are matrices, too."""
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    photograph = read_photograph(np.asmatrix(gray))
    assert photograph.size == (3, 4)
    np.testing.assert_array_equal(photograph.lightness, read_photograph(gray).lightness)


def test_arrays_carry_alpha():
    rgba = np.dstack([COLOURS, RAMP[:, :30]])
    np.testing.assert_array_equal(read_photograph(rgba).alpha, RAMP[:, :30])
    np.testing.assert_array_equal(read_photograph(rgba / 255).alpha, RAMP[:, :30])


def test_a_callers_picture_is_left_as_it_was():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image = Image.open(io.BytesIO(file_of(Image.fromarray(RAMP), "JPEG", exif=exif)))
    assert read_photograph(image).size == (52, 20)
    assert image.size == (52, 20)
    assert image.getexif()[ExifTags.Base.Orientation] == 6


def test_sample_photographs_can_be_read():
    samples = sample_photographs()
    assert {"astronaut", "camera", "chelsea", "coffee", "rocket"} <= set(samples)
    in_colour = {name for name, path in samples.items() if read_photograph(path).warnings}
    assert in_colour == {"astronaut", "chelsea", "coffee", "rocket"}


@pytest.mark.parametrize("dark", [(40, 20, 10), (0, 30, 70)], ids=["sepia", "cyanotype"])
def test_toned_prints_are_not_said_to_be_in_colour(dark):
    gray = Image.open(sample_photographs()["camera"])
    toned = np.asarray(ImageOps.colorize(gray, dark, (250, 240, 215))).astype(float)
    toned[..., 2] *= np.linspace(1, 0.9, gray.width)  # and yellower towards one side
    photograph = read_photograph(file_of(Image.fromarray(toned.astype(np.uint8)), "JPEG", quality=80))
    assert photograph.warnings == ()
    assert photograph.lightness.std() > 20


def test_cmyk_of_photoshop_is_not_a_negative():
    """Photoshop writes CMYK inverted into JPEG, and says so in a segment of its own."""
    content = file_of(Image.fromarray(RAMP).convert("RGB").convert("CMYK"), "JPEG", quality=95)
    with Image.open(io.BytesIO(content)) as image:
        assert image.info.get("adobe_transform") is not None  # the segment is there
    assert_lightness(read_photograph(content), gray_lightness(RAMP / 255), atol=3)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_upright():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photograph = read_photograph(file_of(Image.fromarray(RAMP), "AVIF", quality=100, exif=exif))
    assert photograph.metadata.format == "AVIF"
    assert_lightness(photograph, gray_lightness(np.rot90(RAMP, -1) / 255), atol=3)


def test_heic_is_read_upright():
    pytest.importorskip("pi_heif", reason="pi-heif is missing: there is none for this computer")
    photograph = read_photograph(base64.b64decode(HEIC))
    assert photograph.metadata.format == "HEIF"
    assert b"Grandpa" in photograph.metadata.exif
    assert_lightness(photograph, gray_lightness(np.rot90(RAMP, -1) / 255), atol=4)
