"""Saving: what is carried over, what is refused, and that nothing half-written stays."""

import errno
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, IptcImagePlugin, PngImagePlugin

from cinn_app.errors import ImageError
from cinn_app.imaging import (
    FILM_FORMATS,
    OUTPUT_FORMATS,
    PictureMetadata,
    encode_film,
    encode_picture,
    read_photograph,
    read_provenance,
    save_picture,
)

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
ALPHA = np.linspace(0, 255, RGB.shape[0] * RGB.shape[1]).astype(np.uint8).reshape(RGB.shape[:2])
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'

REAL_XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>On the porch</dc:title></rdf:Description></rdf:RDF>'
    b'</x:xmpmeta><?xpacket end="w"?>'
)


def exif_block() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Grandpa"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: "1943:07:01 12:00:00"}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    return exif.tobytes()


METADATA = PictureMetadata("JPEG", exif_block(), (300.0, 300.0), XMP, b"On the porch")


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_pixels_size_and_profile(tmp_path, file_format):
    path = save_picture(tmp_path / f"out.{file_format}", RGB)
    with Image.open(path) as image:
        assert image.size == (RGB.shape[1], RGB.shape[0])
        assert image.mode == "RGB"
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        difference = np.abs(np.asarray(image).astype(int) - RGB).mean()
    assert difference == 0 if file_format in ("png", "tiff") else difference < 30
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_metadata_are_carried(tmp_path, file_format):
    path = save_picture(tmp_path / f"out.{file_format}", RGB, METADATA)
    found = read_photograph(path).metadata
    assert found.dpi == pytest.approx((300, 300), abs=0.1)
    assert found.xmp == XMP
    assert found.comment == (b"On the porch" if file_format == "jpg" else None)
    exif = Image.Exif()
    exif.load(found.exif)
    assert exif[ExifTags.Base.Artist] == "Grandpa"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "1943:07:01 12:00:00"
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


def test_nothing_is_carried_unless_given(tmp_path):
    for file_format in OUTPUT_FORMATS:
        found = read_photograph(save_picture(tmp_path / f"out.{file_format}", RGB)).metadata
        assert (found.exif, found.xmp, found.comment) == (None, None, None)


@pytest.mark.parametrize("file_format", ["png", "webp", "tiff"])
def test_alpha_is_carried(tmp_path, file_format):
    path = save_picture(tmp_path / f"out.{file_format}", RGB, alpha=ALPHA)
    np.testing.assert_array_equal(read_photograph(path).alpha, ALPHA)


def test_jpeg_lays_transparent_pictures_on_white(tmp_path):
    path = save_picture(tmp_path / "out.jpg", np.zeros_like(RGB), alpha=np.zeros_like(ALPHA))
    with Image.open(path) as image:
        assert np.asarray(image).min() >= 254


def test_metadata_too_long_for_jpeg_are_left_out(tmp_path):
    long = PictureMetadata(xmp=b"x" * 70_000, comment=b"x" * 70_000)
    assert read_photograph(save_picture(tmp_path / "out.jpg", RGB, long)).metadata.xmp is None


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
@pytest.mark.parametrize(
    "orientation",
    [
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:Make="Box"/>',
        b"<rdf:Description xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Make='Box' t:Orientation = '6'/>",
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><tiff:Orientation>6</tiff:Orientation>'
        b"<tiff:Make>Box</tiff:Make></rdf:Description>",
    ],
)
def test_no_orientation_is_carried(tmp_path, file_format, orientation):
    """A packet that says 6 beside EXIF that says 1, as programs leave it that turn a picture."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.Orientation: 6, ExifTags.Base.DateTimeOriginal: "1943:07:01 12:00:00"}
    source = io.BytesIO()
    packet = REAL_XMP.replace(b"</rdf:RDF>", orientation + b"</rdf:RDF>")
    Image.fromarray(RGB).save(source, "JPEG", exif=exif.tobytes(), xmp=packet)
    photograph = read_photograph(source.getvalue())
    assert photograph.size == RGB.shape[:2]
    path = save_picture(tmp_path / f"out.{file_format}", RGB, photograph.metadata, provenance={"seed": 7})
    assert b"Orientation" not in path.read_bytes()
    found = read_photograph(path)
    assert found.size == RGB.shape[:2]
    assert b"Box" in found.metadata.xmp and b"On the porch" in found.metadata.xmp


def test_texts_with_an_orientation_are_left_out(tmp_path):
    """As ImageMagick copies EXIF into PNG."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("exif:Orientation", "6")
    texts.add_text("Title", "On the porch")
    Image.fromarray(RGB).save(tmp_path / "in.png", pnginfo=texts)
    assert read_photograph(tmp_path / "in.png").metadata.texts == {"Title": "On the porch"}


IPTC = b"\x1c\x02\x78\x00\x0cOn the porch\x1c\x02\x19\x00\x06family"  # caption and keyword, as archives write them


def test_captions_of_archives_are_carried(tmp_path):
    metadata = PictureMetadata(iptc=IPTC)
    for file_format in ("jpg", "tiff"):
        path = save_picture(tmp_path / f"out.{file_format}", RGB, metadata)
        with Image.open(path) as image:
            entries = IptcImagePlugin.getiptcinfo(image)
        assert entries[2, 120] == b"On the porch" and entries[2, 25] == b"family"
        assert read_photograph(path).metadata.iptc == IPTC


def test_texts_of_png_are_carried(tmp_path):
    path = save_picture(tmp_path / "out.png", RGB, PictureMetadata(texts={"Title": "Großmutter"}, xmp=XMP))
    assert read_photograph(path).metadata.texts == {"Title": "Großmutter"}


# The mark

MARK = {"program": "cinn_app 0.1.0", "seed": 7, "temperature": [0.5, 0.85], "note": "<&>\"' é"}


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
@pytest.mark.parametrize("xmp", [None, REAL_XMP, XMP], ids=["alone", "beside the photograph's", "on a broken packet"])
def test_the_mark_is_read_back(tmp_path, file_format, xmp):
    metadata = PictureMetadata(exif=exif_block(), xmp=xmp)
    path = save_picture(tmp_path / f"out.{file_format}", RGB, metadata, provenance=MARK)
    assert read_provenance(path) == MARK
    packet = read_photograph(path).metadata.xmp
    ElementTree.fromstring(packet)  # is well-formed
    assert packet.count(b"compositeWithTrainedAlgorithmicMedia") == 1
    assert (b"On the porch" in packet) == (xmp == REAL_XMP)
    assert Image.open(path).getexif()[ExifTags.Base.Artist] == "Grandpa"


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_a_colouring_coloured_again_has_one_mark(tmp_path, file_format):
    first = save_picture(tmp_path / f"first.{file_format}", RGB, PictureMetadata(xmp=REAL_XMP), provenance=MARK)
    again = save_picture(
        tmp_path / f"again.{file_format}", RGB, read_photograph(first).metadata, provenance={**MARK, "seed": 8}
    )
    assert read_provenance(again)["seed"] == 8
    packet = read_photograph(again).metadata.xmp
    assert packet.count(b"<cinn:colouring>") == packet.count(b"compositeWithTrainedAlgorithmicMedia") == 1


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_no_mark_unless_given(tmp_path, file_format):
    path = save_picture(tmp_path / f"out.{file_format}", RGB, PictureMetadata(xmp=REAL_XMP))
    assert read_provenance(path) is None
    assert read_photograph(path).metadata.xmp == REAL_XMP


def test_the_mark_outlives_metadata_that_do_not_fit(tmp_path):
    long = PictureMetadata(xmp=REAL_XMP.replace(b"On the porch", b"x" * 70_000), exif=b"Exif\0\0not a block")
    for file_format in OUTPUT_FORMATS:
        assert read_provenance(save_picture(tmp_path / f"out.{file_format}", RGB, long, provenance=MARK)) == MARK


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null"])
def test_a_mangled_mark_is_none(tmp_path, content):
    path = save_picture(tmp_path / "out.png", RGB, provenance=MARK)
    packet = read_photograph(path).metadata.xmp
    start, end = packet.index(b"<cinn:colouring>") + 16, packet.index(b"</cinn:colouring>")
    mangled = PictureMetadata(xmp=packet[:start] + content + packet[end:])
    assert read_provenance(save_picture(tmp_path / "mangled.png", RGB, mangled)) is None


def test_a_mark_turned_into_an_attribute_is_read(tmp_path):
    """As an image editor may rewrite the packet."""
    packet = REAL_XMP.replace(
        b'rdf:about=""', b'rdf:about="" xmlns:c="urn:cinn-app:1.0/" c:colouring="{&quot;seed&quot;: 7}"'
    )
    assert read_provenance(save_picture(tmp_path / "out.png", RGB, PictureMetadata(xmp=packet))) == {"seed": 7}


def test_broken_metadata_do_not_cost_the_picture(tmp_path):
    broken = PictureMetadata(exif=b"Exif\0\0not a block", xmp=XMP)
    for file_format in OUTPUT_FORMATS:
        assert save_picture(tmp_path / f"out.{file_format}", RGB, broken).stat().st_size > 0


@pytest.mark.parametrize("suffix", ["jpeg", "tif", "PNG", "JPG"])
def test_spellings_of_suffixes(tmp_path, suffix):
    with Image.open(save_picture(tmp_path / f"out.{suffix}", RGB)) as image:
        assert image.format in ("JPEG", "TIFF", "PNG")


def test_the_format_may_differ_from_the_suffix(tmp_path):
    with Image.open(save_picture(tmp_path / "out.dat", RGB, format="webp")) as image:
        assert image.format == "WEBP"


# Refusals


def refusal(path: Path, rgb8: np.ndarray = RGB, **options: object) -> str:
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else None
    with pytest.raises(ImageError) as caught:
        save_picture(path, rgb8, **options)
    message = str(caught.value)
    assert str(path) in message
    assert message.endswith(".")
    assert "\n" not in message
    assert (sorted(path.parent.iterdir()) if path.parent.is_dir() else None) == before, "something was left over"
    return message


@pytest.mark.parametrize("name", ["out.xcf", "out", "out.gif"])
def test_unknown_formats_are_refused(tmp_path, name):
    assert "png, jpg, webp, tiff" in refusal(tmp_path / name)


def test_the_input_is_never_overwritten(tmp_path):
    source = tmp_path / "grandma.png"
    source.write_bytes(b"the only print")
    (tmp_path / "soft.png").symlink_to(source)
    (tmp_path / "hard.png").hardlink_to(source)
    for name in ("grandma.png", "soft.png", "hard.png"):
        assert "is the input" in refusal(tmp_path / name, source=source)
    assert source.read_bytes() == b"the only print"
    save_picture(tmp_path / "colour.png", RGB, source=source)
    save_picture(tmp_path / "colour.png", RGB, source=tmp_path / "gone.png")


@pytest.mark.parametrize("file_format", ["jpg", "webp"])
def test_sides_beyond_the_format_are_refused(tmp_path, file_format):
    assert "choose png or tiff" in refusal(tmp_path / f"out.{file_format}", np.zeros((1, 70_000, 3), np.uint8))


def test_a_missing_folder_is_refused(tmp_path):
    assert f"there is no folder {tmp_path / 'no'}: create it first" in refusal(tmp_path / "no" / "out.png")


def test_a_folder_in_the_way_is_refused(tmp_path):
    (tmp_path / "out.png").mkdir()
    assert "is a folder" in refusal(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "permission"),
        (errno.EROFS, "permission"),
        (errno.EIO, "choose another name or folder"),
        (errno.EBUSY, "close it there"),
        (errno.EINVAL, "choose another name."),
        (errno.ENAMETOOLONG, "choose a shorter name."),
    ],
)
def test_a_disk_that_refuses_leaves_the_old_file(tmp_path, monkeypatch, number, reason):
    (tmp_path / "out.png").write_bytes(b"old")

    def refuse(descriptor: int) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr("os.fsync", refuse)
    assert reason in refusal(tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == b"old"


def test_a_full_disk_leaves_nothing(tmp_path):
    """A limit on file sizes stops the write half way, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        message = refusal(tmp_path / "out.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk is full" in message


# Films


def test_a_comment_in_a_gif_is_no_mark_unless_it_is_ours():
    frames, seconds = np.zeros((2, 4, 6), np.uint8), [0.1, 0.2]
    frames[1, :2] = 255
    assert read_provenance(io.BytesIO(encode_film(frames, seconds, "gif", provenance=MARK))) == MARK
    assert read_provenance(io.BytesIO(encode_film(frames, seconds, "gif"))) is None
    for comment in (b"made by hand", b"[1, 2]", b'{"seed": 7}', b"\xff\xfe"):
        buffer = io.BytesIO()
        Image.fromarray(frames[0]).save(buffer, "GIF", comment=comment)
        assert read_provenance(buffer) is None


@pytest.mark.parametrize("film_format", FILM_FORMATS)
def test_a_film_shows_each_frame_for_its_time(film_format):
    frames = np.zeros((3, 4, 6), np.uint8)
    frames[1, :2], frames[2, :, 3:] = 255, 255
    with Image.open(io.BytesIO(encode_film(frames, [0.1, 0.3, 0.2], film_format, scale=2))) as film:
        assert (film.size, film.n_frames, film.info["loop"]) == ((12, 8), 3, 0)
        for number, milliseconds in enumerate((100, 300, 200)):
            film.seek(number)
            pixels = np.asarray(film.convert("L"), float)
            assert film.info["duration"] == milliseconds
            assert np.abs(pixels[::7, ::11] - frames[number][::3, ::5]).max() < 12


def test_an_unknown_format_of_films_is_refused():
    with pytest.raises(ImageError, match="'avi' is not a format of films: choose one of gif, webp"):
        encode_film(np.zeros((2, 4, 4), np.uint8), [0.1, 0.1], "avi")


def test_the_profile_of_a_file_does_not_tell_when_this_program_began() -> None:
    """Else the same picture would be another file each day."""
    with Image.open(io.BytesIO(encode_picture(RGB, "png"))) as picture:
        made = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"])).profile.creation_date
    assert made.year == 2026 and (made.day, made.hour, made.minute, made.second) == (1, 0, 0, 0)
