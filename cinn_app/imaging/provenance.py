"""The provenance record of a picture that a model made: how the picture, or its colours, were made.

The record is a flat JSON object inside the file's XMP packet, which JPEG, PNG, TIFF and WebP carry and image editors
keep; a GIF has it as its comment. Next to it stands IPTC's standard statement that an algorithm made part of the
picture, or all of it. The packet of the original photograph stays; the record is added as one more description.
"""

import html
import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from cinn_app.imaging.sources import PictureFile, opened_picture

__all__ = ["GENERATED_XMP", "read_provenance", "with_provenance"]

NAMESPACE = "urn:cinn-app:1.0/"
PROPERTY = "colouring"
# IPTC's terms for a picture edited by a generative model, and for one made by it from nothing:
# https://cv.iptc.org/newscodes/digitalsourcetype
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
EDITED, GENERATED = "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia"
DESCRIPTION = (
    '<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:cinn="'
    + NAMESPACE
    + '">{statement}<cinn:colouring>{record}</cinn:colouring></rdf:Description>'
)
STATEMENT = (
    '<Iptc4xmpExt:DigitalSourceType xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    f"{SOURCE_TYPES}{{}}</Iptc4xmpExt:DigitalSourceType>"
)
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    "{description}</rdf:RDF></x:xmpmeta>"
)
#: The XMP packet that says that a model generated the whole picture; a provenance record can be added to it.
GENERATED_XMP = PACKET.format(
    description=f'<rdf:Description rdf:about="">{STATEMENT.format(GENERATED)}</rdf:Description>',
).encode()
# The record of an earlier colouring, which a new one replaces.
OLD_RECORD = re.compile(
    rb'<rdf:Description[^>]*xmlns:cinn="' + re.escape(NAMESPACE).encode() + rb'".*?</rdf:Description>'
)
END = re.compile(rb"</\w+:RDF\s*>")


def with_provenance(xmp: bytes | None, record: Mapping[str, Any]) -> bytes:
    """Add a provenance record to an XMP packet, or make a packet for it.

    >>> b"seed" in with_provenance(None, {"seed": 7})
    True
    """
    packet = OLD_RECORD.sub(b"", xmp) if xmp and _is_xml(xmp) else b""
    statement = "" if b"DigitalSourceType" in packet else STATEMENT.format(EDITED)
    description = DESCRIPTION.format(statement=statement, record=html.escape(json.dumps(record), quote=False))
    ends = list(END.finditer(packet))
    if not ends:
        return PACKET.format(description=description).encode()
    end = ends[-1].start()
    return packet[:end] + description.encode() + packet[end:]


def read_provenance(source: PictureFile) -> dict[str, Any] | None:
    """Read the provenance record of a picture without decoding its pixels.

    Returns:
        The record, or None if the picture has none.

    Raises:
        ImageError: if the picture is missing, unreadable or damaged.
    """
    with opened_picture(source) as image:
        xmp, comment = image.info.get("xmp"), image.info.get("comment")
        if image.format == "GIF":
            return _parse_comment(comment)
    packet = xmp.encode() if isinstance(xmp, str) else xmp or b""
    if NAMESPACE.encode() not in packet:
        return None
    try:
        tree = ElementTree.fromstring(packet.strip(b"\0"))
        name = f"{{{NAMESPACE}}}{PROPERTY}"
        # Image editors may have turned the element into an attribute.
        found = [element.text for element in tree.iter(name)] + [element.get(name) for element in tree.iter()]
        record = json.loads([text for text in found if text][-1])
    except (ElementTree.ParseError, ValueError, IndexError):
        return None  # an image editor has damaged it
    return record if isinstance(record, dict) else None


def _parse_comment(comment: bytes | None) -> dict[str, Any] | None:
    """Parse a GIF's comment, if `encode_film` wrote it."""
    try:
        record = json.loads(comment or b"")
    except ValueError:
        return None
    return record if isinstance(record, dict) and "program" in record else None


def _is_xml(packet: bytes) -> bool:
    try:
        ElementTree.fromstring(packet.strip(b"\0"))
    except ElementTree.ParseError:
        return False
    return True
