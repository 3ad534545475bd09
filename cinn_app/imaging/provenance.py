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
# Standard words for pictures that generative models have edited, or made: https://cv.iptc.org/newscodes/digitalsourcetype
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
EDITED, MADE = "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia"
DESCRIPTION = (
    '<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:cinn="'
    + NAMESPACE
    + '">{statement}<cinn:colouring>{provenance}</cinn:colouring></rdf:Description>'
)
STATEMENT = (
    '<Iptc4xmpExt:DigitalSourceType xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    f"{SOURCE_TYPES}{{}}</Iptc4xmpExt:DigitalSourceType>"
)
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    "{description}</rdf:RDF></x:xmpmeta>"
)
#: The XMP packet of a picture that a model made from nothing: a provenance goes into it as into a photograph's.
GENERATED_XMP = PACKET.format(
    description=f'<rdf:Description rdf:about="">{STATEMENT.format(MADE)}</rdf:Description>',
).encode()
# What an earlier colouring left behind: a colouring that is coloured again carries one provenance, not two.
OLD_RECORD = re.compile(
    rb'<rdf:Description[^>]*xmlns:cinn="' + re.escape(NAMESPACE).encode() + rb'".*?</rdf:Description>'
)
END = re.compile(rb"</\w+:RDF\s*>")


def with_provenance(xmp: bytes | None, provenance: Mapping[str, Any]) -> bytes:
    """Add a provenance to a photograph's XMP packet, or make a packet for it.

    >>> b"seed" in with_provenance(None, {"seed": 7})
    True
    """
    packet = OLD_RECORD.sub(b"", xmp) if xmp and _is_xml(xmp) else b""
    statement = "" if b"DigitalSourceType" in packet else STATEMENT.format(EDITED)
    description = DESCRIPTION.format(statement=statement, provenance=html.escape(json.dumps(provenance), quote=False))
    ends = list(END.finditer(packet))
    if not ends:
        return PACKET.format(description=description).encode()
    end = ends[-1].start()
    return packet[:end] + description.encode() + packet[end:]


def read_provenance(source: PictureFile) -> dict[str, Any] | None:
    """Read the provenance of a picture; its pixels are not decoded.

    Returns:
        The provenance, or None if the picture carries none.

    Raises:
        ImageError: the picture is missing, no picture or damaged.
    """
    with opened_picture(source) as image:
        xmp, comment = image.info.get("xmp"), image.info.get("comment")
        if image.format == "GIF":  # what `encode_film` wrote; anyone may comment, but not in our words
            return _provenance_in_comment(comment)
    packet = xmp.encode() if isinstance(xmp, str) else xmp or b""
    if NAMESPACE.encode() not in packet:
        return None
    try:
        tree = ElementTree.fromstring(packet.strip(b"\0"))
        name = f"{{{NAMESPACE}}}{PROPERTY}"
        # An editor may have turned the element into an attribute.
        found = [element.text for element in tree.iter(name)] + [element.get(name) for element in tree.iter()]
        provenance = json.loads([text for text in found if text][-1])
    except (ElementTree.ParseError, ValueError, IndexError):
        return None  # an editor has mangled it
    return provenance if isinstance(provenance, dict) else None


def _provenance_in_comment(comment: bytes | None) -> dict[str, Any] | None:
    try:
        provenance = json.loads(comment or b"")
    except ValueError:
        return None
    return provenance if isinstance(provenance, dict) and "program" in provenance else None


def _is_xml(packet: bytes) -> bool:
    try:
        ElementTree.fromstring(packet.strip(b"\0"))
    except ElementTree.ParseError:
        return False
    return True
