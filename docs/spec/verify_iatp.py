#!/usr/bin/env python3
"""A second implementation of did-mesh/1 and iatp-mesh/1, from their specifications, with nothing but the standard library.

    verify_iatp.py DIRECTORY      checks every vector in DIRECTORY; exit 1 and a line per difference when one differs

It verifies; it does not sign, and its arithmetic is not constant-time: use it to check, never to hold a secret.
"""
import base64, hashlib, hmac, json, re, struct, sys, unicodedata
from pathlib import Path


class Refused(Exception):
    def __init__(self, code):
        self.code = code


def need(condition, code):
    if not condition:
        raise Refused(code)


# ---- Ed25519: RFC 8032 with the profile of the specification (strict keys, no cofactor) --------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(n, p):
    q = (0, 1, 1, 0)
    while n > 0:
        if n & 1:
            q = add(q, p)
        p, n = add(p, p), n >> 1
    return q


def point(data):
    y, sign = int.from_bytes(data, "little") & (2**255 - 1), data[31] >> 7
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def encode_point(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


NEUTRAL = encode_point((0, 1, 1, 0))
BY = 4 * pow(5, P - 2, P) % P
BASE = point(BY.to_bytes(32, "little"))
KEYS = {}


def admit_key(data):
    """A canonical point of the prime-order subgroup, not the neutral element; None for anything else."""
    if data not in KEYS:
        p = point(data)
        good = p and encode_point(times(8, p)) != NEUTRAL and encode_point(times(L, p)) == NEUTRAL
        KEYS[data] = p if good else None
    return KEYS[data]


def verify(key, message, signature):
    p = admit_key(key)
    if p is None or len(signature) != 64 or signature[:32] == NEUTRAL:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = (P - p[0], p[1], 1, (P - p[3]) % P)
    return encode_point(add(times(s, BASE), times(k, minus))) == signature[:32]


# ---- X25519, HKDF, ChaCha20-Poly1305: RFC 7748, 5869, 8439 ---------------------------------------------------------


def x25519(scalar, u):
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def hkdf(secret, salt, purpose):
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, purpose.encode() + b"\1", hashlib.sha256).digest()


def chacha_block(key, counter, nonce):
    def rotate(v, n):
        return (v << n | v >> (32 - n)) & 0xFFFFFFFF

    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce))
    s = start[:]
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(10):
        for a, b, c, d in columns + diagonals:
            for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) & 0xFFFFFFFF
                s[z] = rotate(s[z] ^ s[x], n)
    return struct.pack("<16I", *((v + w) & 0xFFFFFFFF for v, w in zip(s, start)))


def open_sealed(key, nonce, sealed, associated):
    ciphertext, tag = sealed[:-16], sealed[-16:]
    one = chacha_block(key, 0, nonce)
    r, s = int.from_bytes(one[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF, int.from_bytes(one[16:32], "little")
    pad = lambda data: data + bytes(-len(data) % 16)
    text = pad(associated) + pad(ciphertext) + struct.pack("<QQ", len(associated), len(ciphertext))
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at : at + 16] + b"\1", "little")) * r % (2**130 - 5)
    if ((total + s) % 2**128).to_bytes(16, "little") != tag:
        return None
    blocks = (chacha_block(key, 1 + n, nonce) for n in range((len(ciphertext) + 63) // 64))
    return bytes(c ^ k for c, k in zip(ciphertext, b"".join(blocks)))


# ---- Text: base64url, base58btc, base32, canonical JSON ------------------------------------------------------------


def b64(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if to_b64(data) == text else None


def to_b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def to_b58(data):
    n, text = int.from_bytes(data, "big"), ""
    while n:
        n, digit = divmod(n, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def b58(text):
    n = 0
    for character in text:
        n = n * 58 + ALPHABET.index(character)
    data = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes(len(text) - len(text.lstrip("1"))) + data


def cid(data):
    raw = b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


DID_KEY = r"did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}"


def did_key(key):
    return "did:key:z" + to_b58(b"\xed\x01" + key)


def key_of(did):
    """The admitted key of a did:key, or None."""
    if not re.fullmatch(DID_KEY, did):
        return None
    data = b58(did[9:])
    key = data[2:]
    return key if data[:2] == b"\xed\x01" and len(key) == 32 and did_key(key) == did and admit_key(key) else None


def canonical(value):
    """RFC 8785 for what these formats hold: integers, and names in ASCII."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def read_json(data, shape, code):
    def fail(_):
        raise ValueError

    try:
        value = json.loads(data.decode("utf-8"), parse_float=fail, parse_constant=fail)
        good = canonical(value) == data
    except (ValueError, RecursionError):
        good = False
    need(good and fits(value, shape), code)
    return value


# A shape: a function, a list of one shape and a length, or a dict whose optional names end in "?".
def fits(value, shape):
    if callable(shape):
        return shape(value)
    if isinstance(shape, list):
        return isinstance(value, list) and len(value) <= shape[1] and all(fits(item, shape[0]) for item in value)
    names = {name.rstrip("?"): inner for name, inner in shape.items()}
    required = {name for name in shape if not name.endswith("?")}
    return (
        isinstance(value, dict)
        and required <= set(value) <= set(names)
        and all(fits(item, names[name]) for name, item in value.items())
    )


def integer(low, high=2**53 - 1):
    return lambda value: type(value) is int and low <= value <= high


def matching(pattern, high=10**6):
    return lambda value: isinstance(value, str) and len(value) <= high and re.fullmatch(pattern, value) is not None


def binary(length):
    return lambda value: isinstance(value, str) and b64(value) is not None and len(b64(value)) == length


def line(value):
    hidden = ("Cc", "Cf", "Zl", "Zp")
    return isinstance(value, str) and len(value) <= 500 and all(unicodedata.category(c) not in hidden for c in value)


MILLIS, DIGEST = integer(0, 2**48 - 1), binary(32)
DID = matching(r"did:[a-z0-9]+:(?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2})*[A-Za-z0-9._%-]", 512)
KEY, CID = matching(DID_KEY), matching(r"bafkrei[a-z2-7]{51}[aeimquy4]")
UUID = matching(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME = matching(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MEDIA = matching(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", 100)
COMMAND = matching(r"(?:/[a-z0-9][a-z0-9_-]{0,62}){1,8}", 200)
CODE = matching(r"[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+", 64)
TRACE = matching(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")


# ---- Domains, trees -----------------------------------------------------------------------------------------------


def separated(domain, *parts):
    return domain.encode() + b"\0" + b"".join(parts)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hash_in(domain, *parts):
    return sha(separated(domain, *parts))


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1", root_of(leaves[:k]), root_of(leaves[k:]))


def sides(index, size):
    """On which side each sibling of the path stands, bottom up (RFC 9162, 2.1.3.2)."""
    found, node, last = [], index, size - 1
    while last > 0:
        if node % 2:
            found.append("left")
        elif node < last:
            found.append("right")
        node, last = node // 2, last // 2
    return found


# ---- Statements and identities (did-mesh.md) ----------------------------------------------------------------------

OUTER = {
    "payload": lambda value: isinstance(value, str) and b64(value) is not None,
    "signatures": [{"key": KEY, "signature": binary(64)}, 2],
    "type": matching(r"[a-z0-9/-]{1,64}"),
}
SHAPES = {
    "did-mesh/1/inception": {"at": MILLIS, "key": KEY, "name": NAME, "next": DIGEST, "sponsor?": KEY},
    "did-mesh/1/rotation": {"at": MILLIS, "did": DID, "key": KEY, "next": DIGEST, "previous": DIGEST, "sequence": integer(1, 366)},
    "did-mesh/1/revocation": {"at": MILLIS, "did": DID, "reason": line},
    "iatp-mesh/1/hosting": {"agent": DID, "epoch": binary(8), "expires": MILLIS, "issued": MILLIS, "node": KEY},
    "iatp-mesh/1/withdrawal": {"agent": DID, "at": MILLIS, "certificate": CID},
    "iatp-mesh/1/card": {
        "agent": DID,
        "contracts": [{"digest": DIGEST, "messages": [{"description": line, "name": NAME}, 64], "name": NAME}, 16],
        "description": line,
        "endorsements": [CID, 16],
        "expires": MILLIS,
        "issued": MILLIS,
        "name": NAME,
        "needs": {"trust?": integer(0, 1000)},
        "revision": integer(0),
        "version": line,
    },
}


class Statement:
    def __init__(self, data, types):
        need(len(data) <= 16 * 1024, "statement.too_large")
        outer = read_json(data, OUTER, "statement.malformed")
        self.type = outer["type"]
        need(self.type in types, "statement.wrong_type")
        payload = b64(outer["payload"])
        self.signers = []
        for signature in outer["signatures"]:
            did = signature["key"]
            need(key_of(did), "did.unsupported")
            need(did not in self.signers, "statement.malformed")
            signed = separated(self.type, payload)
            need(verify(key_of(did), signed, b64(signature["signature"])), "statement.bad_signature")
            self.signers.append(did)
        self.value = read_json(payload, SHAPES[self.type], "statement.malformed")
        self.digest, self.cid = sha(payload), cid(payload)


def commitment(did):
    return to_b64(hash_in("did-mesh/1/next", key_of(did)))


class Identity:
    def __init__(self, data):
        s = Statement(data, ["did-mesh/1/inception"])
        v, sponsor = s.value, s.value.get("sponsor")
        need(v["key"] in s.signers and sponsor != v["key"], "did.unauthorised")
        need(sponsor is None or sponsor in s.signers, "did.unsponsored")
        need(len(s.signers) <= (1 if sponsor is None else 2), "did.unauthorised")
        self.did = f"did:mesh:{v['name']}:{to_b58(s.digest)}"
        self.sponsor, self.revoked = sponsor, None
        self.keys, self.digests, self.next = [v["key"]], [s.digest], v["next"]

    def learn(self, data):
        s = Statement(data, ["did-mesh/1/rotation", "did-mesh/1/revocation"])
        v = s.value
        need(v["did"] == self.did, "did.other")
        if s.type == "did-mesh/1/revocation":
            need(s.signers and all(signer == self.sponsor or signer in self.keys for signer in s.signers), "did.unauthorised")
            self.revoked = self.revoked if self.revoked is not None else v["reason"]
            return
        if self.revoked is not None:
            return
        need(v["sequence"] <= len(self.keys), "did.gap")
        if v["sequence"] < len(self.keys):
            need(self.digests[v["sequence"]] == s.digest, "did.forked")
            return
        need(v["previous"] == to_b64(self.digests[-1]), "did.forked")
        need(self.keys[-1] in s.signers and v["key"] in s.signers and v["key"] != self.keys[-1], "did.unauthorised")
        need(commitment(v["key"]) == self.next, "did.not_committed")
        self.keys.append(v["key"])
        self.digests.append(s.digest)
        self.next = v["next"]


def fold(statements):
    need(statements, "did.no_history")
    identity = Identity(statements[0])
    for statement in statements[1:]:
        identity.learn(statement)
    return identity


# ---- Envelopes (iatp-mesh.md) ---------------------------------------------------------------------------------------

CLAIMS = {
    "answer?": {"code?": CODE, "request": DIGEST},
    "body": {"digest": DIGEST, "length": integer(0, 256 * 1024), "media": MEDIA},
    "budget?": {"calls?": integer(0), "cents?": integer(0), "ms?": integer(0), "tokens?": integer(0)},
    "cause?": {"index": integer(0), "leaf": DIGEST},
    "certificate?": CID,
    "chain": [DID, 32],
    "command": COMMAND,
    "contract?": DIGEST,
    "correlation": UUID,
    "deadline": MILLIS,
    "delegation": [CID, 8],
    "from": DID,
    "head": {"origin": DIGEST, "root": DIGEST, "size": integer(0)},
    "id": UUID,
    "to": DID,
    "trace?": TRACE,
}
KINDS = [None, "ask", "tell", "control", "present", "reply", "failure", "accepted"]
CLAIMS_MAX, BODY_MAX, BATCH_MAX = 16 * 1024, 256 * 1024 + 32, 256
FRAME_MAX, BUNDLE_MAX = 204 + 8 * 32 + CLAIMS_MAX + BODY_MAX, 1024 * 1024 - 4096


class Head:
    def __init__(self, data):
        need(len(data) >= 128 and data[:4] == b"IATP", "envelope.malformed")
        need(data[4] == 1, "envelope.unsupported_version")
        flags = struct.unpack(">H", data[6:8])[0]
        self.sequence, self.issued, self.expires = struct.unpack(">3Q", data[104:128])
        numbers = self.sequence, self.issued, self.expires
        need(0 < data[5] < len(KINDS) and flags < 2 and all(n < 2**53 for n in numbers), "envelope.malformed")
        self.kind, self.encrypted = KINDS[data[5]], flags == 1
        self.to, self.sender, self.to_epoch, self.epoch = data[8:40], data[40:72], data[72:80], data[80:88]
        self.session = data[88:104]


class Envelope:
    def __init__(self, head, claims, body):
        self.head, self.claims, self.body = Head(head), claims, body
        self.leaf = sha(b"\0", head, claims)


def split_frame(data):
    """The envelope, the root that its path leads to, the size of its batch, and the signature."""
    need(len(data) <= FRAME_MAX, "envelope.too_large")
    need(len(data) >= 204, "envelope.malformed")
    Head(data)
    claims, body, index, size = struct.unpack(">IIHH", data[128:140])
    need(claims <= CLAIMS_MAX and body <= BODY_MAX, "envelope.too_large")
    need(1 <= size <= BATCH_MAX and index < size, "envelope.malformed")
    way = sides(index, size)
    at = 204 + 32 * len(way)
    need(len(data) == at + claims + body, "envelope.malformed")
    envelope = Envelope(data[:128], data[at : at + claims], data[at + claims :])
    root = envelope.leaf
    for step, side in enumerate(way):
        sibling = data[204 + 32 * step : 236 + 32 * step]
        root = sha(b"\1", sibling, root) if side == "left" else sha(b"\1", root, sibling)
    return [envelope], root, size, data[140:204]


def split_bundle(data):
    need(len(data) <= BUNDLE_MAX, "envelope.too_large")
    need(len(data) >= 72, "envelope.malformed")
    need(data[4:6] == b"\1\0", "envelope.unsupported_version")
    size, at, envelopes = struct.unpack(">H", data[6:8])[0], 72, []
    need(1 <= size <= BATCH_MAX, "envelope.malformed")
    for _ in range(size):
        need(len(data) >= at + 136, "envelope.malformed")
        Head(data[at : at + 128])
        claims, body = struct.unpack(">II", data[at + 128 : at + 136])
        need(claims <= CLAIMS_MAX and body <= BODY_MAX, "envelope.too_large")
        start, middle, end = at + 136, at + 136 + claims, at + 136 + claims + body
        need(end <= len(data), "envelope.malformed")
        envelopes.append(Envelope(data[at : at + 128], data[start:middle], data[middle:end]))
        at = end
    need(at == len(data), "envelope.malformed")
    return envelopes, root_of([envelope.leaf for envelope in envelopes]), size, data[8:72]


class Receiver:
    """A node with one session, as the vectors describe it."""

    def __init__(self, world):
        self.did, self.key, self.epoch = world["node"], key_of(world["node"]), b64(world["epoch"])
        self.session, self.hosted = world["session"], world["hosted"]
        self.awaited = {request["request"]: request for request in world["awaited"]}
        self.identities, self.certificates, self.withdrawn, self.seen = {}, {}, set(), set()
        for text in world["statements"]:
            s = Statement(text.encode(), list(SHAPES))
            if s.type == "did-mesh/1/inception":
                identity = Identity(text.encode())
                self.identities[identity.did] = identity
            elif s.type == "iatp-mesh/1/hosting":
                if self.identities[s.value["agent"]].keys[-1] in s.signers:
                    self.certificates[s.cid] = s
            else:
                identity = self.identities[s.value["agent"]]
                assert any(signer == identity.sponsor or signer in identity.keys for signer in s.signers)
                self.withdrawn.add(s.value["certificate"])

    def admit(self, data, at):
        try:
            envelopes, root, size, signature = split_bundle(data) if data[:4] == b"IATB" else split_frame(data)
        except Refused as refusal:
            return [{"refused": refusal.code, "authenticated": False}]
        signed = separated("iatp-mesh/1/envelope", struct.pack(">H", size), root)
        heads = [attempt(lambda: self.check_head(envelope.head, at)) for envelope in envelopes]
        is_signed = None in heads and verify(key_of(self.session["peer"]), signed, signature)
        results = []
        for envelope, refused in zip(envelopes, heads):
            code = refused or (None if is_signed else "envelope.bad_signature")
            if code:
                results.append({"refused": code, "authenticated": False})
                continue
            try:
                content = self.check_content(envelope, at)
                message, digest = to_b64(sha(envelope.claims)), to_b64(envelope.leaf)
                results.append({"admitted": {"content": to_b64(content), "envelope": digest, "message": message}})
            except Refused as refusal:
                results.append({"refused": refusal.code, "authenticated": True})
        return results

    def check_head(self, head, at):
        session = self.session
        need(head.to == self.key, "envelope.misdirected")
        need(head.session != bytes(16), "envelope.unknown_sender")
        need(head.session == b64(session["id"]), "envelope.unknown_session")
        need(head.sender == key_of(session["peer"]), "envelope.wrong_peer")
        need(head.to_epoch == self.epoch and head.epoch == b64(session["peerEpoch"]), "envelope.wrong_epoch")
        need(at <= session["expires"], "envelope.session_over")
        need(not head.encrypted, "envelope.wrong_suite")
        need(head.sequence not in self.seen, "envelope.replayed")
        need(head.issued <= at + 2000, "envelope.future")
        need(at <= head.expires, "envelope.expired")
        need(0 <= head.expires - head.issued <= 30_000, "envelope.too_long")

    def check_content(self, envelope, at):
        head = envelope.head
        need(len(envelope.claims) <= CLAIMS_MAX, "claims.too_large")
        claims = read_json(envelope.claims, CLAIMS, "claims.malformed")
        answer = claims.get("answer")
        need((head.kind in ("reply", "failure", "accepted")) == (answer is not None), "claims.malformed")
        need((head.kind == "failure") == ("code" in (answer or {})), "claims.malformed")
        need(at <= claims["deadline"], "envelope.past_deadline")
        need(claims["deadline"] <= head.issued + 7 * 86_400_000, "claims.malformed")
        need(head.sequence not in self.seen, "envelope.replayed")
        self.seen.add(head.sequence)
        need(claims["to"] in self.hosted or claims["to"] == self.did, "envelope.no_such_agent")
        self.check_hosting(claims, head, at)
        salt, content = envelope.body[:16], envelope.body[16:]
        need(len(envelope.body) == 16 + claims["body"]["length"], "body.wrong_length")
        need(to_b64(hash_in("iatp-mesh/1/body", salt, content)) == claims["body"]["digest"], "body.wrong_digest")
        if answer is not None:
            awaited = self.awaited.get(answer["request"])
            need(awaited, "answer.unexpected")
            own = did_key(head.sender) if head.kind == "failure" else awaited["asked"]
            need(claims["from"] in (awaited["asked"], own), "answer.wrong_peer")
            need((head.sender, claims["to"]) == (key_of(awaited["node"]), awaited["asker"]), "answer.wrong_peer")
        return content

    def check_hosting(self, claims, head, at):
        node = did_key(head.sender)
        if "certificate" not in claims:
            need(claims["from"] == node, "certificate.missing")
            return
        certificate = self.certificates.get(claims["certificate"])
        need(certificate, "certificate.unknown")
        need(claims["certificate"] not in self.withdrawn, "certificate.withdrawn")
        identity = self.identities.get(claims["from"])
        need(identity, "did.unknown")
        need(identity.sponsor, "did.unsponsored")
        v = certificate.value
        need(v["agent"] == identity.did, "certificate.other_agent")
        need(v["node"] == node, "certificate.other_node")
        need(b64(v["epoch"]) == head.epoch, "certificate.other_epoch")
        need(identity.revoked is None, "did.revoked")
        need(identity.keys[-1] in certificate.signers, "certificate.wrong_key")
        need(0 < v["expires"] - v["issued"] <= 3_600_000, "certificate.too_long")
        need(at <= v["expires"], "certificate.expired")
        need(v["issued"] <= at + 2000, "certificate.future")


def attempt(work):
    try:
        work()
        return None
    except Refused as refusal:
        return refusal.code


# ---- Handshakes -----------------------------------------------------------------------------------------------------

INTRODUCTION = {
    "contracts": [DIGEST, 64],
    "encryption": matching("none|offered|required"),
    "ephemeral": binary(32),
    "epoch": binary(8),
    "from": KEY,
    "head": {"origin": DIGEST, "root": DIGEST, "size": integer(0)},
    "issued": MILLIS,
    "nonce": binary(32),
    "to": KEY,
    "versions": [integer(1, 255), 8],
}
HELLO = {**INTRODUCTION, "cookie?": binary(32)}
WELCOME = {**INTRODUCTION, "suite": matching("signed|chacha20poly1305"), "version": integer(1, 255)}
CONFIRM = {"session": binary(16)}


def read_step(data, step, shape):
    need(8 <= len(data) <= 16 * 1024 and data[:4] == b"IATH" and data[4] == 1 and data[5] == step, "handshake.malformed")
    end = 8 + struct.unpack(">H", data[6:8])[0]
    need(len(data) == end + (0 if step == 1 else 64), "handshake.malformed")
    return read_json(data[8:end], shape, "handshake.malformed"), data[:end], data[end:]


def check_handshake(v):
    hello_data, welcome_data, confirm_data = (b64(v[name]) for name in ("hello", "welcome", "confirm"))
    hello, _, _ = read_step(hello_data, 1, HELLO)
    welcome, welcome_signed, welcome_signature = read_step(welcome_data, 2, WELCOME)
    confirm, confirm_signed, confirm_signature = read_step(confirm_data, 3, CONFIRM)
    initiator, responder = v["initiator"]["node"], v["responder"]["node"]
    need((hello["from"], hello["to"]) == (initiator, responder), "handshake.wrong_peer")
    need((welcome["from"], welcome["to"]) == (responder, initiator), "handshake.wrong_peer")
    transcript = lambda *said: hash_in("iatp-mesh/1/transcript", *said)
    said = hello_data + welcome_data
    first = separated("iatp-mesh/1/handshake/responder", transcript(hello_data, welcome_signed))
    need(verify(key_of(responder), first, welcome_signature), "handshake.bad_signature")
    second = separated("iatp-mesh/1/handshake/initiator", transcript(said, confirm_signed))
    need(verify(key_of(initiator), second, confirm_signature), "handshake.bad_signature")
    wishes = hello["encryption"], welcome["encryption"]
    need("none" not in wishes or "required" not in wishes, "handshake.no_common_suite")
    suite = "signed" if "none" in wishes else "chacha20poly1305"
    version = max(set(hello["versions"]) & set(welcome["versions"]))
    need((welcome["suite"], welcome["version"]) == (suite, version), "handshake.downgraded")
    session = hash_in("iatp-mesh/1/session", said)[:16]
    need(to_b64(session) == confirm["session"] == v["session"], "handshake.other_session")
    secrets = [bytes.fromhex(v[side]["ephemeral"]) for side in ("initiator", "responder")]
    publics = [b64(hello["ephemeral"]), b64(welcome["ephemeral"])]
    need([x25519(secret, (9).to_bytes(32, "little")) for secret in secrets] == publics, "handshake.bad_ephemeral")
    shared = x25519(secrets[0], publics[1])
    need(shared == x25519(secrets[1], publics[0]) != bytes(32), "handshake.bad_ephemeral")
    if "body" in v:
        body = v["body"]
        key = hkdf(shared, transcript(said), "iatp-mesh/1 initiator to responder")
        nonce = struct.pack(">IQ", 0, body["sequence"])
        opened = open_sealed(key, nonce, b64(body["sealed"]), b64(body["associated"]))
        need(opened == b64(body["plaintext"]), "body.undecipherable")


# ---- Bodies by digest ------------------------------------------------------------------------------------------------

REFERENCE = {"digest": DIGEST, "media": matching("application/json"), "size": integer(0)}


def check_reference(content):
    size = read_json(content.encode(), REFERENCE, "body.malformed")["size"]
    need(size <= 8 * 1024 * 1024, "body.too_large")
    need(size > 256 * 1024, "body.malformed")


def chunks_in(size, most=128 * 1024):
    return [min(most, size - at) for at in range(0, size, most)]


# ---- The vectors ------------------------------------------------------------------------------------------------------


def main(directory):
    checked, wrong = 0, []

    def check(name, found, expected):
        nonlocal checked
        checked += 1
        if found != expected:
            wrong.append(f"{name}: expected {expected}, found {found}")

    mesh = json.loads((directory / "did-mesh.json").read_text())
    for case in mesh["histories"]:
        try:
            identity = fold([statement.encode() for statement in case["statements"]])
            found = {"did": identity.did, "keys": identity.keys, "revoked": identity.revoked, "sponsor": identity.sponsor}
            check(case["name"], found, case.get("identity"))
        except Refused as refusal:
            check(case["name"], refusal.code, case.get("refused"))

    iatp = json.loads((directory / "iatp-mesh.json").read_text())
    for handshake in iatp["handshakes"]:
        check(f"a handshake, encryption {handshake['encryption']}", attempt(lambda: check_handshake(handshake)), None)
    for card in iatp["cards"]:
        statement = Statement(card["statement"].encode(), ["iatp-mesh/1/card"])
        identity = Receiver(iatp["receiver"]).identities[card["agent"]]
        check("a card", (statement.value["agent"], statement.signers), (card["agent"], identity.keys[-1:]))
    for case in iatp["references"]["cases"]:
        check(f"the reference {case['content']}", attempt(lambda: check_reference(case["content"])), case["refused"])
    said = iatp["references"]["body"]
    body = json.dumps(said["character"] * said["count"]).encode()
    check("a large body", (to_b64(hashlib.sha256(body).digest()), chunks_in(len(body))), (said["digest"], said["chunks"]))
    for case in iatp["cases"]:
        receiver = Receiver(iatp["receiver"])
        found = [result for frame in case["frames"] for result in receiver.admit(b64(frame), case["at"])]
        check(case["name"], found, case["results"])

    for difference in wrong:
        print(difference)
    print(f"{checked} vectors checked, {len(wrong)} differ")
    return 1 if wrong or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "vectors")))
