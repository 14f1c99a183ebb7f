"""SVG pictures of ours, as trees of elements."""

from xml.etree import ElementTree as ET


def parsed_picture(svg: str | bytes) -> ET.Element:
    """Return the picture's root. Raises ParseError if it is not well-formed."""
    return ET.fromstring(svg)  # noqa: S314 - it was drawn by our own code in this test, and has no entities
