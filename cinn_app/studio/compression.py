"""How texts are compressed for a browser."""

import gzip

import brotli

__all__ = ["compress", "encoding_of"]


def encoding_of(accepted: str) -> str:
    """Return the best encoding that a request's ``accept-encoding`` admits, or an empty text.

    >>> encoding_of("gzip, deflate, br"), encoding_of("gzip"), encoding_of("identity")
    ('br', 'gzip', '')
    """
    admitted = {name.partition(";")[0].strip() for name in accepted.split(",")}
    return next((name for name in ("br", "gzip") if name in admitted), "")


def compress(content: bytes, encoding: str) -> bytes:
    """Compress a text as :func:`encoding_of` says.

    More effort than this takes twenty times as long, to save some percent of gradio's scripts.
    """
    match encoding:
        case "br":
            return bytes(brotli.compress(content, mode=brotli.MODE_TEXT, quality=5))
        case "gzip":
            return gzip.compress(content, 6, mtime=0)
        case _:
            return content
