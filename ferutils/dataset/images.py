"""One image file in any usual format -> its grey levels. Reads bytes; writes nothing."""

import io
import struct
import warnings
import zlib

from PIL import Image

from ferutils.dataset.fer2013 import IMAGE_SIZE, PIXELS, _error

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # of 8 bits a channel, which can be grey
ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff")
ENDINGS += (".gif", ".pgm", ".ppm")
MAX_IMAGE_BYTES = 1024**2  # of one file; the real ones have 2 to 4 kB
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
OTHER_ENDS = [bytes((value,)) * 16 + JPEG_END for value in (0x00, 0xAA, 0xFE)]
UNREADABLE_IMAGE = (  # what Pillow raises for a file that is no image, a damaged or a huge one
    ArithmeticError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def grey_levels(content: bytes, source: str) -> bytes:
    """The 2,304 grey levels, 0..255, of an image file, row by row.

    Args:
        content: the file's bytes. Colour channels must be equal, and alpha opaque.
        source: the file's name, for messages.

    Raises:
        ValueError: the file is no whole, grey image of 48 x 48 pixels.
    """
    if len(content) > MAX_IMAGE_BYTES:
        received = f"{source!r} of more than {MAX_IMAGE_BYTES:,} bytes"
        raise _error("images of some 3,000 bytes", received, "Use the images as published.")
    try:
        with _open(content) as image:
            form = (image.mode, *image.size)
            if form[0] in MODES and form[1:] == (IMAGE_SIZE, IMAGE_SIZE):
                image.verify()  # the check sums of a PNG, which reading its pixels passes over
                _check_end(content)
        if form[0] in MODES and form[1:] == (IMAGE_SIZE, IMAGE_SIZE):
            with _open(content) as image:
                grey = _grey(image)
            if grey is not None:
                return grey
    except UNREADABLE_IMAGE as problem:
        received = f"{source!r}, which cannot be read ({cause(problem)})"
        remedy = "Download it again, or remove this file."
        raise _error("an image file", received, remedy) from problem
    mode, width, height = form
    expected = f"a grey image of {IMAGE_SIZE} x {IMAGE_SIZE} pixels"
    received = f"{source!r} of {width} x {height} pixels, mode {mode}"
    if mode in MODES and (width, height) == (IMAGE_SIZE, IMAGE_SIZE):
        received += ", coloured or transparent"
    raise _error(expected, received, "Use the images as published, neither enlarged nor coloured.")


def is_doubtful(content: bytes) -> bool:
    """Whether an image was read whose data stop before its last pixel, or go on after it.

    A JPEG file has no check sums, and its decoder fills or passes over what does not fit. So its
    end is decoded with other bytes: none after the data may change a pixel, and those in the place
    of the last two must. Of bits flipped in the data every fourth is found, because it shifts all
    that follows. No decoder sees the others, which make other pixels in the same number of bytes;
    neither is there a check for flipped pixels of a BMP, TIFF or PGM file. A picture whose last
    corner is of one grey, saved with code tables of its own, can be named though it is whole.

    Args:
        content: the bytes of an image file that `grey_levels` reads.
    """
    if not content.startswith(JPEG_START):
        return False
    data = content[: content.rindex(JPEG_END)]
    cut = data[:-2].rstrip(b"\xff")  # which would make a marker of what follows
    return len(set(map(_pixels, (data + end for end in OTHER_ENDS)))) > 1 or (
        len(set(map(_pixels, (cut + end for end in OTHER_ENDS)))) == 1
    )


def cause(problem: Exception) -> str:
    """An exception in words, without the address of an object in memory."""
    return f"{type(problem).__name__}: {str(problem).partition(' <')[0]}"


def _open(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=FORMATS)


def _pixels(content: bytes) -> bytes:
    """All channels as they are decoded; nothing where they cannot be."""
    try:
        with _open(content) as image:
            return image.tobytes()
    except UNREADABLE_IMAGE:
        return b""


def _grey(image: Image.Image) -> bytes | None:
    """The grey levels; None where channels differ or something shines through."""
    if image.mode == "L":
        return image.tobytes()
    red, green, blue, alpha = (band.tobytes() for band in image.convert("RGBA").split())
    return red if red == green == blue and alpha == b"\xff" * PIXELS else None


def _check_end(content: bytes) -> None:
    """Find what Pillow passes over: missing rows of a PNG, and a JPEG that goes on or stops."""
    if content.startswith(JPEG_START) and JPEG_END not in content[-64:]:
        raise ValueError("the end is missing")
    if content[:4] != b"\x89PNG":
        return
    width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    packed, position = b"", 8
    while position + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[position : position + 8])
        packed += content[position + 8 : position + 8 + size] if kind == b"IDAT" else b""
        position += size + 12
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    expected = height * (1 + -(-width * channels * depth // 8))
    found = len(zlib.decompressobj().decompress(packed, expected + 1))
    if not found or (found < expected and not interlaced):
        raise ValueError(f"{found:,} bytes of pixels instead of {expected:,}")
