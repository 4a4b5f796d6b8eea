"""What a file holds, taken apart: containers, encodings, pictures, pages."""

from evidence.disclosure.reading.parts import Part
from evidence.disclosure.reading.unpack import unpack

__all__ = ["Part", "unpack"]
