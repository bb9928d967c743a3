"""Damage to the files of runs, drawn at random: hostile values in JSON, lines with right checksums, arrays, bytes."""

import io
import json
import math
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DEPTHS = {"@deep@": 90, "@deeper@": 400, "@deepest@": 900, "@too deep@": 3_000}
"""Texts that stand for a list so deeply nested, which json.dumps cannot write."""
SURROGATE, ESCAPES = "\ud800", "\x1b]0;x\x07\u202e\u200d\n\t "
NUMBERS = (
    *(0, -1, 1, 2, 10**6, 2**31, 2**63, -(2**63), 10**30, 10**99, 10**308, 10**400, -(10**400), 10**4000),
    *(0.5, -0.5, 1.5, 1e-320, 1e20, 1e99, 1e160, 1e299, 1e308, -1e308, math.nan, math.inf, -math.inf),
)
TEXTS = ("", "x", "nan", "1e999", "x" * 10_000, SURROGATE, ESCAPES, "0001-01-01T00:00:00", "9999-12-31T23:59:59+00:00")
CALLS = ("Adam(lr=1e999)", "Adam(lr=-10**99)", "Conv2d(10**400, 3)", "Dropout(10**400)", "Dropout(nan)", "SGD(lr=")
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None, 1, "x"],
    [10**400],
    {"a": {"b": [math.nan]}},
    *DEPTHS,
)
ARRAY_TYPES = ("uint8", "int64", "float16", "float32", "float64", "complex64", "bool", "S3", "U3", "datetime64[s]")


def _as_json(document: Any) -> bytes:
    text = json.dumps(document)  # NaN and Infinity as other programs write them, against the RFC.
    for name, depth in DEPTHS.items():
        text = text.replace(f'"{name}"', "[" * depth + "]" * depth)
    return text.encode()


def mutate_document(document: Any, chance: random.Random) -> Any:
    """A JSON document in which one value is replaced, removed or doubled, at a random depth."""
    if not isinstance(document, dict | list) or not document or chance.random() < 0.05:
        return _hostile(document, chance)
    key: Any = chance.choice(list(document)) if isinstance(document, dict) else chance.randrange(len(document))
    changed = document.copy()
    match chance.randrange(8):
        case 0:
            del changed[key]
        case 1 if isinstance(changed, list):
            changed.insert(key, changed[key])
        case 2 if isinstance(changed, dict):
            changed[chance.choice(["", "x", ESCAPES, SURROGATE, "epoch", "10"])] = chance.choice(
                (*NUMBERS, *TEXTS, *OTHERS)
            )
        case _:
            changed[key] = mutate_document(document[key], chance)
    return changed


def _hostile(value: Any, chance: random.Random) -> Any:
    """Something in place of a value, mostly of its kind."""
    if chance.random() < 0.3:
        return chance.choice((*NUMBERS, *TEXTS, *OTHERS))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return chance.choice(NUMBERS)
    return chance.choice((*TEXTS, *CALLS) if isinstance(value, str) else OTHERS)


def mutate_lines(content: bytes, chance: random.Random) -> bytes:
    """Lines of JSON, some changed, doubled, moved or removed; a crc32 is that of the changed line, mostly."""
    lines = content.splitlines(keepends=True)
    for _ in range(chance.choice([1, 3, 10, 30])):
        index = chance.randrange(len(lines))
        match chance.randrange(12):
            case 0:
                lines.insert(chance.randrange(len(lines)), lines[index])
            case 1:
                chance.shuffle(lines)
            case 2 if len(lines) > 1:
                del lines[index]
            case _:
                lines[index] = _changed_line(lines[index], chance)
    return b"".join(lines)


def _changed_line(line: bytes, chance: random.Random) -> bytes:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return line
    has_sum = isinstance(row, dict) and row.pop("crc32", None) is not None
    text = _as_json(mutate_document(row, chance))
    checksum = zlib.crc32(text) + (chance.random() < 0.1)
    return text[:-1] + b', "crc32": %d}\n' % checksum if has_sum else text + b"\n"


def mutate_bytes(content: bytes, chance: random.Random) -> bytes:
    """Bytes cut off, overwritten, removed, or replaced by others."""
    at = chance.randrange(len(content) + 1)
    match chance.randrange(6):
        case 0:
            return b""
        case 1:
            return content[:at]
        case 2:
            return content[:at] + chance.randbytes(chance.randrange(1, 40)) + content[at + 1 :]
        case 3:
            return content[:at] + bytes(100) + content[at + 100 :]
        case 4:
            return chance.randbytes(200)
        case _:
            return content[:at] + content[at + chance.randrange(1, 40) :]


def mutate_arrays(content: bytes, chance: random.Random) -> bytes:
    """An npz file with one array that is missing, or of another shape, dtype or range."""
    with np.load(io.BytesIO(content)) as stored:
        arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
    name = chance.choice(list(arrays))
    array = arrays.pop(name)
    with np.errstate(all="ignore"):
        match chance.randrange(7):
            case 0:
                pass
            case 1:
                arrays[name] = array.astype(chance.choice(ARRAY_TYPES), casting="unsafe")
            case 2:
                arrays[name] = array.reshape(chance.choice([(-1,), (-1, 1), (1, -1), (1, 1, -1)]))
            case 3:
                arrays[name] = array[..., :0] if array.ndim else np.array([])
            case 4:
                arrays[name] = np.full(array.shape, chance.choice([0, 9, 10, 255, math.nan, math.inf, -1])).astype(
                    array.dtype
                )
            case 5:
                arrays[name] = array[: chance.randrange(1, 9)] if array.ndim else np.full(3, array)
            case _:
                arrays[name] = np.array(
                    chance.choice([None, "x", 1, 2**63, 1e300]), dtype=chance.choice([None, object])
                )
    buffer = io.BytesIO()
    chance.choice([np.savez, np.savez_compressed])(buffer, **arrays)
    return buffer.getvalue()


def mutate(path: Path, chance: random.Random) -> None:
    """Damages one file in a way that its kind knows, or in one that bytes have, or removes it."""
    content = path.read_bytes()
    kind = chance.random()
    with_kind: Callable[[bytes, random.Random], bytes] = mutate_bytes
    if kind < 0.75 and path.suffix == ".npz":
        with_kind = mutate_arrays
    elif kind < 0.75 and path.suffix == ".jsonl":
        with_kind = mutate_lines
    elif kind < 0.75 and content.startswith(b"{"):
        with_kind = _mutate_json
    if kind > 0.97:
        path.unlink()
    else:
        path.write_bytes(with_kind(content, chance))


def _mutate_json(content: bytes, chance: random.Random) -> bytes:
    document = json.loads(content)
    for _ in range(chance.choice([1, 1, 2, 4])):
        document = mutate_document(document, chance)
    return _as_json(document)
