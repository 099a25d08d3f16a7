#!/usr/bin/env python3
"""Check an export of a log, from docs/spec/log.md alone, with nothing but Python's standard library.

    python3 verify_export.py EXPORT [VERIFIER-KEY]

Prints what was found and ends with status 0, or prints the first fault and ends with status 1. Without a verifier key it
takes the one in the export, which shows that the export agrees with itself, not whose it is. Numbers are those of the steps
in section 8.
"""
import base64
import hashlib
import json
import os
import re
import sys


class Fault(Exception):
    pass


def must(holds, message):
    if not holds:
        raise Fault(message)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64(text):
    data = base64.b64decode(text, validate=True)
    must(base64.b64encode(data).decode() == text, "base64 that is not in its one form")
    return data


# Ed25519, RFC 8032 section 5.1, the equation without the cofactor.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):  # extended coordinates (X, Y, Z, T)
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def encode(point):
    z = pow(point[2], -1, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    must(y < P and (x * x - square) % P == 0 and not (x == 0 and sign), "32 bytes that are no point")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
NEUTRAL = encode((0, 1, 1, 0))


def verify(key, message, signature):
    point = decode(key)
    must(key != NEUTRAL and encode(multiply(L, point)) == NEUTRAL, "a public key that is not of prime order")
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    difference = add(multiply(s, BASE), multiply(L - k, point))
    return len(signature) == 64 and s < L and r != NEUTRAL and encode(difference) == r


# Checkpoints: steps 1 to 4.
def parse_key(line):
    name, key_id, text = line.split("+", 2)
    typed = from_b64(text)
    must(len(typed) == 33 and typed[0] == 1, "no Ed25519 verifier key")
    must(sha256(name.encode(), b"\n", typed)[:4].hex() == key_id, "a key id that is not that of the key")
    return name, bytes.fromhex(key_id), typed[1:]


def open_checkpoint(note, key_line):
    name, key_id, key = parse_key(key_line)
    end = note.rfind(b"\n\n")
    must(end != -1 and note.endswith(b"\n"), "no signed note")
    text = note[: end + 1]
    signatures = []
    for line in note[end + 2 : -1].decode("utf-8").split("\n"):
        found = re.fullmatch(r"— (\S+) (\S+)", line)
        must(found, "a line that is no signature")
        data = from_b64(found[2])
        if found[1] == name and data[:4] == key_id:
            signatures.append(data[4:])
    must(signatures, "no signature by this key")
    must(all(verify(key, text, signature) for signature in signatures), "a signature that does not verify")
    lines = text.decode("utf-8").split("\n")
    must(len(lines) == 4 and lines[0] == name, "not three lines, or another origin")
    must(re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]), "no size")
    root = from_b64(lines[2])
    must(len(root) == 32, "no root")
    return name, int(lines[1]), root


# The tree: steps 6, 7 and 10.
def split_bundle(data):
    records, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        must(at + 2 <= len(data) and end <= len(data), "a record that is cut short")
        records.append(data[at + 2 : end])
        at = end
    return records


def root_of(hashes):
    stack = []
    for value in hashes:
        level = 0
        while stack and stack[-1][0] == level:
            level, value = level + 1, sha256(b"\x01", stack.pop()[1], value)
        stack.append((level, value))
    if not stack:
        return sha256()
    root = stack.pop()[1]
    while stack:
        root = sha256(b"\x01", stack.pop()[1], root)
    return root


def tile_path(level, number, width):
    digits = str(number)
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return "tile/%s/%s%s" % (level, name, "" if width == 256 else ".p/%d" % width)


def tiles_of(hashes):
    level = 0
    while hashes:
        tiles = [hashes[i : i + 256] for i in range(0, len(hashes), 256)]
        for number, tile in enumerate(tiles):
            yield tile_path(level, number, len(tile)), b"".join(tile)
        hashes, level = [root_of(tile) for tile in tiles if len(tile) == 256], level + 1


# Records: step 8.
COUNT = (lambda v: type(v) is int and 0 <= v < 2**53)
MATCH = lambda pattern: (lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None)
WORD = MATCH(r"[A-Za-z0-9._:/@%+~-]{1,200}")
DIGEST = MATCH(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
UUID = MATCH(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DID = MATCH(r"(?=.{1,512}\Z)did:[a-z0-9]+:(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+")
MEDIA = MATCH(r"(?=.{1,100}\Z)[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
ONE_OF = lambda *values: (lambda v: isinstance(v, str) and v in values)


def fields(*table):
    """An object with these members in this order; a name that ends in ? may be absent."""

    def check(value):
        if not isinstance(value, Object):
            return False
        names = [name.rstrip("?") for name, _ in table]
        present = [name for name, _ in value]
        if present != [name for name in names if name in present] or len(set(present)) != len(present):
            return False
        members = dict(value)
        return all(
            test(members[name.rstrip("?")]) if name.rstrip("?") in members else name.endswith("?") for name, test in table
        )

    return check


class Object(list):
    """The members of a JSON object, in their order."""


def payload(value):
    one_of_three = (
        fields(("j", lambda _: True)),
        fields(("m", MEDIA), ("b", lambda v: isinstance(v, str) and b64url(base64.urlsafe_b64decode(v + "==")) == v)),
        fields(("m", MEDIA), ("h", DIGEST), ("l", lambda v: COUNT(v) and v > 0)),
    )
    return any(check(value) for check in one_of_three)


DECISION = fields(
    ("verdict", ONE_OF("allow", "deny", "escalate")),
    ("code", WORD),
    ("rule?", WORD),
    ("policy?", DIGEST),
    ("trust?", fields(("score", COUNT), ("as_of", COUNT))),
    ("delegations?", lambda v: type(v) is list and len(v) <= 32 and all(WORD(cid) for cid in v)),
    ("epochs?", fields(("trust", COUNT), ("revocation", COUNT), ("kill", COUNT))),
)
RECORD = fields(
    ("v", lambda v: type(v) is int and v == 1),
    ("o", DIGEST),
    ("i", COUNT),
    ("id", UUID),
    ("s", WORD),
    ("n", COUNT),
    ("t", MATCH(r"(?=.{1,64}\Z)[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")),
    ("tv", lambda v: COUNT(v) and v > 0),
    ("w", COUNT),
    ("c", COUNT),
    ("a", DID),
    ("p?", DID),
    ("k?", UUID),
    ("u?", fields(("o", DIGEST), ("i", COUNT), ("h", DIGEST))),
    ("e?", DIGEST),
    ("d?", DECISION),
    ("x", payload),
    ("y?", fields(("s", WORD), ("k", WORD))),
    ("r", ONE_OF("state", "recorded", "intent", "outcome")),
)


def number(value):
    """A number as ECMAScript writes it."""
    double = float(value)
    must(abs(double) < float("inf"), "a number that no double holds")
    if double == 0:
        return "0"
    mantissa, _, exponent = ("%r" % abs(double) if "e" in "%r" % double else "%re0" % abs(double)).partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    point = len(whole) + int(exponent) - (len(whole + part) - len(digits))
    digits = digits.rstrip("0")
    if -6 < point <= 0:
        text = "0." + "0" * -point + digits
    elif 0 < point <= 21:
        text = digits.ljust(point, "0")
        text = text if len(digits) <= point else digits[:point] + "." + digits[point:]
    else:
        fraction = "." + digits[1:] if len(digits) > 1 else ""
        text = "%s%se%s%d" % (digits[0], fraction, "+" if point > 0 else "-", abs(point - 1))
    return ("-" if double < 0 else "") + text


def write(value, depth=0):
    """Section 2.1. Python's own strings already are as RFC 8785 has them."""
    if isinstance(value, (list, Object)):
        must(depth < 64, "more than 64 levels")
    if isinstance(value, Object):
        names = [name for name, _ in value]
        ordered = sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        must(len(set(names)) == len(names) and names == ordered, "names twice or out of order")
        return "{%s}" % ",".join(write(name) + ":" + write(member, depth + 1) for name, member in value)
    if isinstance(value, list):
        return "[%s]" % ",".join(write(item, depth + 1) for item in value)
    if isinstance(value, str):
        value.encode("utf-8")  # refuses a lone surrogate
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return number(value)


def check_form(data, record):
    """A record is in its one form if it is what its members, written one by one, give."""
    def plain(value):  # the record's own objects keep the order that RECORD has checked
        if isinstance(value, Object):
            return "{%s}" % ",".join(
                '"%s":%s' % (name, write(member) if name == "j" else plain(member)) for name, member in value
            )
        if type(value) is list:
            return "[%s]" % ",".join(plain(item) for item in value)
        return write(value)

    must(plain(record).encode("utf-8") == data, "not in its one form")


def check_records(origin, records, leaves, read):
    own, last, versions, ids, blobs = b64url(sha256(origin.encode())), (0, -1), {}, set(), set()
    for index, data in enumerate(records):
        try:
            record = json.loads(data.decode("utf-8"), object_pairs_hook=Object, parse_constant=lambda name: must(False, name))
            must(RECORD(record), "not the members of a record")
            check_form(data, record)
            own_fields = dict(record)
            must(own_fields["o"] == own and own_fields["i"] == index, "of another log, or of another place")
            must((own_fields["w"], own_fields["c"]) > last, "not after the record before")
            must(own_fields["n"] == versions.get(own_fields["s"], 0), "not the next of its stream")
            must(own_fields["id"] not in ids, "an id that another record has")
            last = (own_fields["w"], own_fields["c"])
            versions[own_fields["s"]] = own_fields["n"] + 1
            ids.add(own_fields["id"])
            payload_fields = dict(own_fields["x"])
            if "h" in payload_fields:  # step 9
                blob = read("blob/" + payload_fields["h"])
                must(len(blob) == payload_fields["l"] and b64url(sha256(blob)) == payload_fields["h"], "another blob")
                blobs.add(payload_fields["h"])
        except (Fault, ValueError, OverflowError, RecursionError) as fault:
            raise Fault("record %d: %s" % (index, fault))
    return blobs


def check(directory, key_line):
    unread = set()
    for folder, _, names in os.walk(directory):
        unread.update(os.path.relpath(os.path.join(folder, name), directory).replace(os.sep, "/") for name in names)

    def read(path):
        unread.discard(path)
        try:
            with open(os.path.join(directory, path), "rb") as file:
                return file.read()
        except OSError as error:
            raise Fault("%s: %s" % (path, error.strerror))

    own_key = read("log.vkey").decode("utf-8")
    key_line = key_line or own_key.rstrip("\n")
    must(own_key == key_line + "\n", "log.vkey: another key than the one given")
    origin, size, root = open_checkpoint(read("checkpoint"), key_line)
    records = []
    for first in range(0, size, 256):
        width = min(256, size - first)
        bundle = split_bundle(read(tile_path("entries", first // 256, width)))
        must(len(bundle) == width, "records %d and on: expected %d of them, found %d" % (first, width, len(bundle)))
        records += bundle
    leaves = [sha256(b"\x00", record) for record in records]
    must(root_of(leaves) == root, "the records do not give the root that was signed")
    blobs = check_records(origin, records, leaves, read)
    for path, tile in tiles_of(leaves):
        must(read(path) == tile, "%s: not the hashes of the records" % path)
    must(not unread, "files that belong to no export: %s" % ", ".join(sorted(unread)[:3]))
    return "origin %s\nsize   %d\nroot   %s\nblobs  %d" % (origin, size, base64.b64encode(root).decode(), len(blobs))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        print(check(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None))
    except (Fault, ValueError) as fault:
        sys.exit("not sound: %s" % fault)
