"""One picture in every form that a file can have it in is read as the same pixels; what cannot be read says why."""

import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from semisup.pictures import PictureError, read_picture

TURNS = {  # EXIF orientation: what has been done to the picture that is stored so, the inverse of what a viewer does
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
ORIENTATION = 0x0112
# The formats that hold each mode of Pillow without loss of depth (HSV is in none).
FORMATS = {
    "1": ("png", "tiff", "bmp", "gif", "pbm", "webp"),
    "L": ("png", "jpg", "tiff", "bmp", "gif", "pgm", "webp", "avif", "jp2"),
    "LA": ("png", "tiff", "webp", "jp2"),
    "P": ("png", "tiff", "bmp", "gif", "webp"),
    "P with transparency": ("png", "gif", "webp"),
    "PA": ("tiff",),
    "RGB": ("png", "jpg", "tiff", "bmp", "ppm", "webp", "avif", "jp2"),
    "RGBA": ("png", "tiff", "webp", "jp2"),
    "CMYK": ("jpg", "tiff"),
    "YCbCr": ("jpg", "tiff"),
    "LAB": ("tiff",),
    "I": ("tiff", "pgm"),
    "I;16": ("png", "tiff", "pgm", "jp2"),
    "I;16B": ("png", "tiff"),
    "F": ("tiff", "pfm"),
}
LOSSLESS = {"webp": {"lossless": True}, "avif": {"quality": 100, "subsampling": "4:4:4"}}
LOSSLESS |= {"jpg": {"quality": 100, "subsampling": 0}, "tiff": {}}
ORIENTED = ("png", "jpg", "tiff", "webp", "avif")  # those whose metadata can ask for a turn
TABLE = [
    (mode, ending, orientation)
    for mode, endings in FORMATS.items()
    for ending in endings
    for orientation in (TURNS if ending in ORIENTED else (1,))
]


def colours():
    """uint8 (12, 20, 3), every pixel different, with no even sides and no symmetry."""
    rows, columns = np.mgrid[:12, :20]
    return np.stack([10 * rows, 12 * columns, 5 * (rows + columns)], axis=2).astype(np.uint8)


def greys():
    """uint8 (12, 20), from 0 to 255."""
    return np.rint(np.linspace(0, 255, 240)).astype(np.uint8).reshape(12, 20)


def picture_of(mode):
    """The picture in a mode of Pillow, what a viewer shows of it (12, 20, 3), and how much the mode itself loses."""
    grey = np.stack([greys()] * 3, axis=2)
    if mode == "1":
        black_white = np.where(grey > 127, 255, 0).astype(np.uint8)
        return Image.fromarray(black_white[..., 0]).convert("1"), black_white, 0
    if mode in ("L", "I;16", "I;16B", "I", "F"):
        deep = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}
        values = greys() if mode == "L" else greys() / np.float32(255) if mode == "F" else greys().astype(int) * 257
        return Image.fromarray(values.astype(deep.get(mode, values.dtype))), grey, 0
    if mode in ("LA", "RGBA", "PA"):
        shown = grey.copy() if mode == "LA" else colours() // 64 * 64 if mode == "PA" else colours()
        opaque = Image.fromarray(shown).convert("L" if mode == "LA" else "RGB")
        alpha = Image.fromarray(np.where(np.arange(240).reshape(12, 20) % 3 == 0, 0, 255).astype(np.uint8))
        picture = opaque.quantize(256).convert("PA") if mode == "PA" else opaque.convert(mode)
        picture.putalpha(alpha)
        shown[np.asarray(alpha) == 0] = 255  # white
        return picture, shown, 2 if mode == "PA" else 0
    few = colours() // 64 * 64  # what a palette holds
    if mode.startswith("P"):
        picture = Image.fromarray(few).quantize(64)
        shown = np.array(picture.convert("RGB"))
        if mode != "P":
            hidden = np.asarray(picture)[5, 5]
            picture.info["transparency"] = int(hidden)
            shown[np.asarray(picture) == hidden] = 255
        return picture, shown, 0
    picture = Image.fromarray(colours()).convert(mode)
    return picture, np.asarray(picture.convert("RGB")), 0


def save(picture, path, orientation=1):
    """Save the picture as a camera does that was held so."""
    if TURNS[orientation] is not None:
        info, picture = picture.info, picture.transpose(TURNS[orientation])
        picture.info = info
    options = dict(LOSSLESS.get(path.suffix[1:], {}))
    if orientation > 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    picture.save(path, **options)


@pytest.mark.parametrize(("mode", "ending", "orientation"), TABLE)
def test_same_pixels_in_whatever_form(tmp_path, mode, ending, orientation):
    picture, shown, lost = picture_of(mode)
    path = tmp_path / f"picture.{ending}"
    save(picture, path, orientation)
    found = read_picture(path, 3).transpose(1, 2, 0)
    assert found.shape == shown.shape
    difference = np.abs(found.astype(int) - shown)
    allowed = lost + {"jpg": 6, "avif": 6, "jp2": 0}.get(ending, 0)
    if mode == "CMYK" and ending == "jpg":
        allowed = 12
    assert difference.max() <= allowed, (difference.max(), difference.mean())
    grey = read_picture(path, 1)[0].astype(int)
    assert np.abs(grey - np.asarray(Image.fromarray(shown).convert("L"))).max() <= allowed


# Forms that Pillow does not write


def png(path, pixels, depth, colour_type, *chunks):
    """Write a PNG of rows of samples (H, W) or (H, W, channels) of 1 to 16 bits; chunks: (name, data) before them."""
    height, width = pixels.shape[:2]
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in pixels]
    else:
        bits = np.unpackbits(pixels.reshape(height, -1, 1).astype(np.uint8), axis=2)[:, :, 8 - depth :]
        rows = [np.packbits(row.ravel()).tobytes() for row in bits]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]:
        data += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("hidden", [False, True])
def test_grey_png_of_any_depth_with_and_without_a_transparent_grey(tmp_path, depth, hidden):
    largest = 2**depth - 1
    samples = np.arange(240).reshape(12, 20) % (largest + 1) if depth < 16 else np.arange(240).reshape(12, 20) * 274
    chunk = [(b"tRNS", struct.pack(">H", samples[0, 1]))] if hidden else []
    png(tmp_path / "picture.png", samples, depth, 0, *chunk)
    expected = samples / largest * 255
    if hidden:
        expected[samples == samples[0, 1]] = 255
    assert np.abs(read_picture(tmp_path / "picture.png", 1)[0] - expected).max() <= 1


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("hidden", [False, True])
def test_colour_png_of_any_depth_with_and_without_a_transparent_colour(tmp_path, depth, hidden):
    samples = colours().astype(int) * (257 if depth == 16 else 1)
    chunk = [(b"tRNS", struct.pack(">HHH", *samples[3, 4]))] if hidden else []
    png(tmp_path / "picture.png", samples, depth, 2, *chunk)
    expected = colours()
    if hidden:
        expected[3, 4] = 255
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.png", 3).transpose(1, 2, 0), expected)


@pytest.mark.parametrize("colour_type", [4, 6])
def test_deep_png_with_alpha(tmp_path, colour_type):
    opaque = (colours() if colour_type == 6 else greys()[..., None]).astype(int) * 257
    alpha = np.full((12, 20, 1), 65535)
    alpha[2, 3] = 0
    png(tmp_path / "picture.png", np.concatenate([opaque, alpha], axis=2), 16, colour_type)
    expected = colours() if colour_type == 6 else np.stack([greys()] * 3, axis=2)
    expected[2, 3] = 255
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.png", 3).transpose(1, 2, 0), expected)


def tiff(path, samples, order, bits, sample_format=1, photometric=1):
    """Write a TIFF of one channel (H, W): order "<" or ">"; samples: as they lie in the file, of `bits` each.

    sample_format: None leaves the tag out.
    """
    body = samples.tobytes()
    tags = [(256, samples.shape[1]), (257, samples.shape[0]), (258, bits), (259, 1), (262, photometric)]
    tags += [(273, 8), (277, 1), (278, samples.shape[0]), (279, len(body))]
    tags += [] if sample_format is None else [(339, sample_format)]
    if bits == 12:
        tags[0] = (256, samples.shape[1] * 2 // 3)
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(body))
    path.write_bytes(header + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u2", "i2", "i4", "u4", "f4"])
@pytest.mark.parametrize("inverse", [False, True])
def test_deep_tiff_of_any_kind(tmp_path, order, kind, inverse):
    """inverse: 0 stands for white."""
    largest = {"u2": 2**16 - 1, "i2": 2**15 - 1, "i4": 2**31 - 1, "u4": 2**32 - 1, "f4": 1.0}[kind]
    shown = greys() / 255 * largest
    samples = (largest - shown if inverse else shown).astype(f"{order}{kind}")
    number = {"u": 1, "i": 2, "f": 3}[kind[0]]
    tiff(tmp_path / "picture.tiff", samples, order, 8 * int(kind[1]), number, int(not inverse))
    try:
        Image.open(tmp_path / "picture.tiff").close()
    except OSError:
        with pytest.raises(PictureError, match="is damaged or of a kind that is not known"):
            read_picture(tmp_path / "picture.tiff", 1)
        return
    assert np.abs(read_picture(tmp_path / "picture.tiff", 1)[0] - greys().astype(int)).max() <= 1


def test_integers_of_32_bits_are_unsigned_unless_the_tiff_says_otherwise(tmp_path):
    tiff(tmp_path / "picture.tiff", greys().astype("<u4") * (2**24 + 2**16 + 2**8 + 1), "<", 32, sample_format=None)
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.tiff", 1)[0], greys())


def test_signed_integers_of_8_bits_are_scaled_by_their_range(tmp_path):
    tiff(tmp_path / "picture.tiff", np.array([[-128, -1, 0, 64, 127]], np.int8), "<", 8, sample_format=2)
    assert read_picture(tmp_path / "picture.tiff", 1)[0].tolist() == [[0, 0, 0, 129, 255]]


def tiff_apart(path, planes, order, photometric, *, packed=False, extra=()):
    """Write a TIFF whose channels (H, W), uint8 or uint16, lie one after the other, zlib-compressed if packed."""
    bits, (height, width) = 8 * planes[0].itemsize, planes[0].shape
    parts = [plane.astype(f"{order}u{bits // 8}").tobytes() for plane in planes]
    parts = list(map(zlib.compress, parts)) if packed else parts
    starts = [8 + sum(map(len, parts[:place])) for place in range(len(parts))]
    tags = [(256, [width]), (257, [height]), (258, [bits] * len(planes)), (259, [8 if packed else 1])]
    tags += [(262, [photometric]), (273, starts), (277, [len(planes)]), (278, [height])]
    tags += [(279, list(map(len, parts))), (284, [2])] + ([(338, extra)] if extra else [])
    body = b"".join(parts)
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(body))
    lists = 8 + len(body) + 2 + 12 * len(tags) + 4
    entries = tail = b""
    for tag, values in tags:
        value = values[0] if len(values) == 1 else lists + len(tail)
        tail += b"" if len(values) == 1 else struct.pack(f"{order}{len(values)}I", *values)
        entries += struct.pack(f"{order}HHII", tag, 4, len(values), value)
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    path.write_bytes(header + body + directory + tail)


DEPTHS = {8: (np.uint8, 1), 16: (np.uint16, 257)}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_tiff_whose_channels_lie_apart(tmp_path, order, channels, bits, packed):
    """channels: 4 with transparency."""
    kind, factor = DEPTHS[bits]
    planes = [plane.astype(kind) * kind(factor) for plane in colours().transpose(2, 0, 1)]
    planes += [np.full((12, 20), np.iinfo(kind).max, kind)] * (channels - 3)
    planes[-1][0, 0] *= channels == 3  # transparent
    tiff_apart(tmp_path / "picture.tiff", planes, order, 2, packed=packed, extra=[2] * (channels - 3))
    expected = colours()
    if channels == 4:
        expected[0, 0] = 255
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.tiff", 3).transpose(1, 2, 0), expected)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("inverse", [False, True])
def test_tiff_of_one_channel_that_is_said_to_lie_apart(tmp_path, inverse, bits, packed):
    """inverse: 0 stands for white."""
    kind, factor = DEPTHS[bits]
    shown = greys().astype(kind) * kind(factor)
    samples = np.iinfo(kind).max - shown if inverse else shown
    tiff_apart(tmp_path / "picture.tiff", [samples], "<", int(not inverse), packed=packed)
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.tiff", 1)[0], greys())


@pytest.mark.parametrize(("bits", "packed"), [(8, False), (8, True), (16, True)])
def test_colours_of_print_that_lie_apart(tmp_path, bits, packed):
    kind, factor = DEPTHS[bits]
    inks = np.asarray(Image.fromarray(colours()).convert("CMYK"))
    planes = [inks[..., channel].astype(kind) * kind(factor) for channel in range(4)]
    tiff_apart(tmp_path / "picture.tiff", planes, "<", 5, packed=packed)
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.tiff", 3).transpose(1, 2, 0), colours())


@pytest.mark.parametrize(
    ("photometric", "channels", "bits", "packed"),
    [(5, 4, 16, False), (8, 3, 8, False), (8, 3, 8, True), (1, 2, 8, True), (1, 2, 8, False)],
    ids=["deep CMYK", "LAB", "packed LAB", "packed grey with transparency", "grey with transparency"],
)
def test_channels_apart_that_would_be_garbled_are_refused(tmp_path, photometric, channels, bits, packed):
    planes = [greys().astype(DEPTHS[bits][0])] * channels
    extra = [2] if photometric == 1 else []
    tiff_apart(tmp_path / "picture.tiff", planes, "<", photometric, packed=packed, extra=extra)
    assert reason(tmp_path / "picture.tiff").startswith("is damaged or of a kind that is not known: save it as PNG")


def test_grey_tiff_with_alpha_that_is_multiplied_in(tmp_path):
    samples = np.array([[[128, 255], [64, 128], [0, 0]]], np.uint8)
    path = tmp_path / "picture.tiff"
    Image.fromarray(samples, "LA").save(path)
    tag = struct.pack("<HHI", 338, 3, 1)
    path.write_bytes(path.read_bytes().replace(tag + b"\2", tag + b"\1"))
    assert read_picture(tmp_path / "picture.tiff", 1)[0].tolist() == [[128, 191, 255]]


def test_tiff_of_twelve_bits(tmp_path):
    values = np.rint(greys() / 255 * 4095).astype(int).ravel()
    first, second = values[::2], values[1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
    tiff(tmp_path / "picture.tiff", packed.reshape(12, 30), "<", 12)
    assert np.abs(read_picture(tmp_path / "picture.tiff", 1)[0] - greys().astype(int)).max() <= 1


@pytest.mark.parametrize(("kind", "largest"), [("<i4", 255), ("<i4", 65535), ("<f4", 1), ("<f4", 255), ("<f4", 100000)])
def test_numbers_without_a_range_of_their_own_have_the_smallest_usual_one(tmp_path, kind, largest):
    Image.fromarray((greys() / 255 * largest).astype(kind)).save(tmp_path / "picture.tiff")
    assert np.abs(read_picture(tmp_path / "picture.tiff", 1)[0] - greys().astype(int)).max() <= 1


def test_dark_deep_pictures_stay_dark(tmp_path):
    """Their range is that of the format, not of what is in them."""
    Image.fromarray(np.full((4, 4), 200, np.uint16)).save(tmp_path / "dark.png")
    (tmp_path / "dark.pgm").write_bytes(b"P5 4 4 65535\n" + np.full(16, 200, ">u2").tobytes())
    for name in ("dark.png", "dark.pgm"):
        assert read_picture(tmp_path / name, 1).max() <= 1


def test_numbers_that_are_none_are_black(tmp_path):
    values = np.array([[np.nan, -5, 0.5, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "picture.tiff")
    assert read_picture(tmp_path / "picture.tiff", 1)[0].tolist() == [[0, 0, 128, 255]]


def test_infinite_numbers_do_not_set_the_range(tmp_path):
    """Maps of depth have them where there is nothing."""
    values = np.array([[np.inf, -np.inf, 0.5, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "picture.tiff")
    assert read_picture(tmp_path / "picture.tiff", 1)[0].tolist() == [[255, 0, 128, 255]]


@pytest.mark.parametrize("text", ["P2 20 12 1000\n", "P2 20 12 15\n"])
def test_pgm_of_any_largest_value(tmp_path, text):
    largest = int(text.split()[-1])
    values = np.rint(greys() / 255 * largest).astype(int)
    (tmp_path / "picture.pgm").write_text(text + " ".join(map(str, values.ravel())))
    assert np.abs(read_picture(tmp_path / "picture.pgm", 1)[0] - values / largest * 255).max() <= 1


# What a viewer shows


def test_hidden_colours_do_not_show(tmp_path):
    found = []
    for hidden in (0, 90):
        pixels = np.concatenate([colours(), np.full((12, 20, 1), 255, np.uint8)], axis=2)
        pixels[4:] = (hidden, 0, 255 - hidden, 0)
        Image.fromarray(pixels).save(tmp_path / "picture.png")
        found.append(read_picture(tmp_path / "picture.png", 3))
    np.testing.assert_array_equal(*found)
    assert (found[0][:, 4:] == 255).all()


def test_colours_are_those_of_the_embedded_profile(tmp_path):
    """A picture in another colour space looks as it does in sRGB; sRGB itself changes nothing, nor a broken profile."""
    plain = Image.fromarray(colours())
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    useless = srgb.tobytes().replace(b"rXYZ", b"xxxx").replace("sRGB".encode("utf-16-be"), "none".encode("utf-16-be"))
    for profile in (srgb.tobytes(), b"broken", useless, ImageCms.ImageCmsProfile(lab).tobytes()):
        plain.save(tmp_path / "picture.png", icc_profile=profile)
        np.testing.assert_array_equal(read_picture(tmp_path / "picture.png", 3).transpose(1, 2, 0), colours())
    swapped = bytearray(srgb.tobytes())  # red and blue, under another name
    swapped = swapped.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    plain.save(tmp_path / "picture.png", icc_profile=bytes(swapped))
    found = read_picture(tmp_path / "picture.png", 3).transpose(1, 2, 0)[..., ::-1].astype(int)
    assert np.abs(found - colours()).max() <= 3


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tiff"])
@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_first_picture_of_several_counts_and_it_is_said(tmp_path, caplog, ending, mode):
    caplog.set_level(logging.INFO)
    colours = ("red", "blue") if mode == "RGB" else ("white", "black")
    first, second = (Image.new(mode, (20, 12), colour) for colour in colours)
    options = {"lossless": True} if ending == "webp" else {}
    first.save(tmp_path / f"moving.{ending}", save_all=True, append_images=[second], **options)
    expected = [255, 0, 0] if mode == "RGB" else [255, 255, 255]
    assert read_picture(tmp_path / f"moving.{ending}", 3)[:, 0, 0].tolist() == expected
    assert caplog.messages == [f"{tmp_path}/moving.{ending} holds several pictures: the first one counts"]


def test_damage_after_the_first_picture_does_not_matter(tmp_path):
    path = tmp_path / "moving.gif"
    moving = [Image.new("RGB", (20, 12), colour) for colour in ("red", "blue", "green")]
    moving[0].save(path, save_all=True, append_images=moving[1:])
    path.write_bytes(path.read_bytes()[:-40])
    assert read_picture(path, 3)[:, 0, 0].tolist() == [255, 0, 0]


def test_broken_metadata_hides_no_picture(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "picture.png", exif=b"Exif\0\0II*\0broken")
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.png", 3).transpose(1, 2, 0), colours())


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {}</rdf:RDF></x:xmpmeta>"""
XMP_FORMS = ('tiff:Orientation="6"/>', "tiff:Orientation='6'/>", "tiff:Orientation = '6' />")
XMP_FORMS += ("><tiff:Orientation>\n6</tiff:Orientation></rdf:Description>",)


@pytest.mark.parametrize("form", XMP_FORMS)
@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_orientation_in_any_form_of_xmp(tmp_path, form, ending):
    text = XMP.format(form)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", text)
    options = LOSSLESS.get(ending, {}) | ({"pnginfo": info} if ending == "png" else {"xmp": text.encode()})
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(colours()).transpose(TURNS[6]).save(path, **options)
    found = read_picture(path, 3).transpose(1, 2, 0).astype(int)
    assert found.shape == colours().shape
    assert np.abs(found - colours()).max() <= 6


def test_orientation_of_exif_is_stronger_than_that_of_xmp(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    xmp = XMP.format(XMP_FORMS[1]).encode()
    Image.fromarray(colours()).save(tmp_path / "picture.webp", lossless=True, exif=exif, xmp=xmp)
    np.testing.assert_array_equal(read_picture(tmp_path / "picture.webp", 3).transpose(1, 2, 0), colours())


def chunk(name, content, crc=None):
    checksum = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


LONG_TEXT = b"Comment\0\0" + zlib.compress(b"a" * 2**21)
HIDDEN = struct.pack(">HHH", *map(int, colours()[3, 4]))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0of a camera", crc=1),
        chunk(b"zTXt", LONG_TEXT),
        chunk(b"tRNS", HIDDEN, crc=1),
        chunk(b"pHYs", b"\0"),
    ],
    ids=["text with a wrong checksum", "long text", "transparency with a wrong checksum", "short resolution"],
)
def test_png_is_shown_whatever_is_wrong_beside_its_pixels(tmp_path, extra):
    """As by viewers that use libpng, which leaves such chunks out."""
    path = tmp_path / "picture.png"
    Image.fromarray(colours()).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:33] + extra + data[33:])
    np.testing.assert_array_equal(read_picture(path, 3).transpose(1, 2, 0), colours())


def test_png_keeps_its_transparency_beside_a_broken_text(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(colours()).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk(b"tEXt", b"Comment\0", crc=1) + chunk(b"tRNS", HIDDEN) + data[33:])
    expected = colours()
    expected[3, 4] = 255
    np.testing.assert_array_equal(read_picture(path, 3).transpose(1, 2, 0), expected)


def test_png_with_damaged_pixels_is_not_shown(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(colours()).save(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 30] ^= 255
    path.write_bytes(data)
    assert reason(path).startswith("is damaged")


# Squares


def test_middle_square_is_scaled(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    found = read_picture(tmp_path / "picture.png", 3, size=5, fit="crop")
    assert found.shape == (3, 5, 5)
    assert (found == 200).all()


def test_padding_has_the_mean_colour_of_the_edge(tmp_path):
    pixels = np.full((10, 30, 3), 200, np.uint8)
    pixels[4:6, 10:20] = 0
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    found = read_picture(tmp_path / "picture.png", 3, fit="pad")
    assert found.shape == (3, 30, 30)
    np.testing.assert_array_equal(found[:, 10:20].transpose(1, 2, 0), pixels)
    assert (found[:, :10] == 200).all()
    assert (found[:, 20:] == 200).all()


def test_stretched_picture_keeps_all_of_its_pixels(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "picture.png")
    found = read_picture(tmp_path / "picture.png", 3, size=20, fit="stretch")
    assert np.abs(found[1].astype(int) - colours()[:1, :, 1]).max() <= 1


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), "red").save(tmp_path / "picture.png")
    for fit in ("crop", "pad", "stretch"):
        assert read_picture(tmp_path / "picture.png", 3, size=3, fit=fit)[0].tolist() == [[255] * 3] * 3


# What cannot be read


def reason(path):
    with pytest.raises(PictureError) as caught:
        read_picture(path, 3)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(f"{path} ")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp", "avif", "tiff", "bmp"])
def test_cut_pictures(tmp_path, share, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert reason(path).startswith(("is damaged or cut short: ", "is damaged or of a kind that is not known: "))


def test_other_reasons(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.touch()
    assert reason(path) == "is empty: remove it, or copy it anew"
    path.write_text("<html>Not Found</html>")
    assert reason(path).startswith("is text, not a picture")
    for beginning in (b"P5 0 0 255\n", b"P4\n3 0\n", b"Pf 0 0 1.0\n", b"\xff\xd8\xff\xe0"):
        path.write_bytes(beginning)
        assert reason(path).startswith("is damaged or of a kind that is not known")
    path.write_bytes(b"\x7fELF" + bytes(range(256)))
    assert reason(path).startswith("is of a format that is not known")
    for brand in (b"heic", b"mif1", b"hevc"):
        path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(8) + b"heic")
        assert reason(path).startswith("is a HEIC picture, which cannot be read: save it as JPEG")
    assert reason(tmp_path / "absent.png") == "cannot be read: No such file or directory"
    Image.new("1", (100, 100)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert reason(path) == "has too many pixels, more than 2,000: make it smaller"


def test_drawings_are_refused_whatever_is_installed(tmp_path, monkeypatch):
    """Pillow would start Ghostscript, if PATH has it, and run the program that such a file is."""
    calls = tmp_path / "calls"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {calls}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    Image.fromarray(colours()).save(tmp_path / "a.eps")
    assert reason(tmp_path / "a.eps") == "is a page or a drawing (EPS), which cannot be read: save it as PNG or JPEG"
    assert not calls.exists()
    (tmp_path / "a.svg").write_text('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert reason(tmp_path / "a.svg") == "is a page or a drawing (SVG), which cannot be read: save it as PNG or JPEG"


def test_padding_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    Image.new("1", (200, 1)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PictureError, match=r"a\.png has too long a side to be padded, 200 .*: choose another --fit"):
        read_picture(tmp_path / "a.png", 3, fit="pad")
    assert read_picture(tmp_path / "a.png", 3, fit="crop").shape == (3, 1, 1)


def test_large_pictures_that_are_read_say_nothing(tmp_path, monkeypatch, recwarn):
    Image.new("1", (100, 100)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9000)
    assert read_picture(tmp_path / "a.png", 1).shape == (1, 100, 100)
    assert not recwarn.list
