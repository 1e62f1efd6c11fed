"""Damage at random, the same for the same seed: what a file may have gone through, or what somebody did to it."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

_NUMBERS = (-1, 0, 1, 2, 255, 65535, 2**20, 2**31 - 1, -(2**31))
_REALS = (float("nan"), float("inf"), -1.0, 0.0, 1e300)
_TEXTS = (
    *(b"", b"-1", b"0", b"nan", b"1e999", b"99999999999999999999", b"2147483647", b"x", b"1_0", b"#", b"\0"),
    *(b"a" * 300, b"../" * 40, b"/dev/zero", b"[" * 2000, b"\xff\xfe", "\u0663".encode(), b"\r", b'"', b","),
)


def mutations(seed: bytes, count: int, random_seed: int) -> Iterator[bytes]:
    """Yield damaged forms of a file.

    Parameters
    ----------
    seed : bytes
        A sound file.
    count : int
        How many.
    random_seed : int
        The same gives the same.
    """
    rng = random.Random(random_seed)
    kinds = (_cut, _number, _real, _byte, _text, _repeat, _remove)
    for _ in range(count):
        data = seed
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            data = rng.choice(kinds)(data, rng)
        yield data


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _over(data: bytes, place: int, piece: bytes) -> bytes:
    return data[:place] + piece + data[place + len(piece) :]


def _number(data: bytes, rng: random.Random) -> bytes:
    return _over(data, _place(data, rng) & ~3, struct.pack("<i", rng.choice(_NUMBERS)))


def _real(data: bytes, rng: random.Random) -> bytes:
    return _over(data, _place(data, rng) & ~3, struct.pack(rng.choice(("<f", "<d")), *_real_of(rng)))


def _real_of(rng: random.Random) -> tuple[float]:
    value = rng.choice(_REALS)
    return (min(value, 3e38),) if value < float("inf") else (value,)


def _byte(data: bytes, rng: random.Random) -> bytes:
    return _over(data, _place(data, rng), bytes([rng.randrange(256)]))


def _text(data: bytes, rng: random.Random) -> bytes:
    """Replace a word, as blanks and commas separate them."""
    words = data.replace(b",", b" ").split(b" ")
    word = rng.randrange(len(words))
    start = sum(len(w) + 1 for w in words[:word])
    return data[:start] + rng.choice(_TEXTS) + data[start + len(words[word]) :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = sorted((_place(data, rng), _place(data, rng)))
    return data[:end] + rng.choice((1, 3, 20)) * data[start:end] + data[end:]


def _remove(data: bytes, rng: random.Random) -> bytes:
    start, end = sorted((_place(data, rng), _place(data, rng)))
    return data[:start] + data[end:]
