"""Tells binary files from text by their first bytes.

Rule: isbinaryfile 5, which scaffolder-backend asks before it renders a file; kept to the byte, since a file that is
wrongly taken for text is damaged.
"""

from __future__ import annotations

_EXAMINED_BYTES = 512
_RESERVE_BYTES = 3  # so that a character that starts within the examined bytes can be read to its end
_SUSPICIOUS_PERCENT = 10
_EARLY_VERDICT_BYTES = 32
_TEXT_MARKS = (
    b"\xef\xbb\xbf",  # UTF-8
    b"\x00\x00\xfe\xff",  # UTF-32, big-endian
    b"\xff\xfe\x00\x00",  # UTF-32, little-endian
    b"\x84\x31\x95\x33",  # GB 18030
)
_UTF16_MARKS = (b"\xfe\xff", b"\xff\xfe")
_PLAIN = frozenset((*range(0x07, 0x0F), *range(0x20, 0x80)))
_CONTINUATION = frozenset(range(0x80, 0xC0))
#: The length of a UTF-8 character by its first byte.
_LENGTHS = (
    dict.fromkeys(range(0xC0, 0xE0), 2) | dict.fromkeys(range(0xE0, 0xF0), 3) | dict.fromkeys(range(0xF0, 0xF8), 4)
)


def is_binary(content: bytes) -> bool:
    """Return whether a file with this content is copied as it is, rather than read as text.

    Empty files and files with a byte order mark are text; a NUL, the mark of PDF, more than a tenth of bytes that are
    neither printable ASCII nor UTF-8, or what parses as a protocol buffer, is binary.
    """
    head = content[: _EXAMINED_BYTES + _RESERVE_BYTES]
    if not head or head.startswith(_TEXT_MARKS):
        return False
    if head.startswith((b"%PDF-", *_UTF16_MARKS)):
        return head.startswith(b"%PDF-")
    return _is_binary_head(head, min(len(head), _EXAMINED_BYTES))


def _is_binary_head(head: bytes, examined: int) -> bool:
    suspicious = 0
    position = 0
    while position < examined:
        byte = head[position]
        if byte == 0:
            return True
        if byte not in _PLAIN:
            length, valid = _utf8_length(head, position)
            position += length - 1
            if not valid:
                suspicious += 1
                if position >= _EARLY_VERDICT_BYTES and suspicious * 100 / examined > _SUSPICIOUS_PERCENT:
                    return True
        position += 1
    if suspicious * 100 / examined > _SUSPICIOUS_PERCENT:
        return True
    return suspicious > 1 and _is_protocol_buffer(head[:examined])


def _utf8_length(head: bytes, position: int) -> tuple[int, bool]:
    """Return how many bytes the character at `position` takes with whether they are UTF-8.

    A character that breaks off takes two bytes, as in isbinaryfile: the byte behind its first is not looked at again.
    """
    length = _LENGTHS.get(head[position], 1)
    following = head[position + 1 : position + length]
    if length == 1 or len(following) < length - 1:
        return 1, False
    if _CONTINUATION.issuperset(following):
        return length, True
    return 2, False


def _is_protocol_buffer(head: bytes) -> bool:
    """Return whether `head` reads as one or more fields of a protocol buffer, the last of which may be cut short."""
    position = 0
    fields = 0
    try:
        while True:
            tag, position = _varint(head, position)
            wire_type = tag & 0x7
            if wire_type == _VARINT:
                _, position = _varint(head, position)
            elif wire_type in _FIXED_LENGTHS:
                position = _skip(head, position, _FIXED_LENGTHS[wire_type])
            elif wire_type == _LENGTH_DELIMITED:
                size, position = _varint(head, position)
                position = _skip(head, position, size)
            else:
                return False
            fields += 1
    except EOFError:
        return fields > 0


_VARINT = 0
_LENGTH_DELIMITED = 2
_FIXED_LENGTHS = {1: 8, 5: 4}
_MAX_VARINT_BYTES = 11


def _varint(head: bytes, position: int) -> tuple[int, int]:
    """Return the number at `position` as 32 signed bits, with where it ends; raise `EOFError` where the bytes do."""
    number = 0
    for index, byte in enumerate(head[position : position + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * index % 32)
        if not byte & 0x80:
            number &= 0xFFFFFFFF
            return number - (1 << 32) if number >> 31 else number, position + index + 1
    raise EOFError


def _skip(head: bytes, position: int, size: int) -> int:
    end = position + max(size, 0)
    if end > len(head):
        raise EOFError
    return end
