"""Proves to an HTTP camera who asks: Basic (RFC 7617) and Digest (RFC 7616) authentication."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable
from urllib.request import parse_http_list, parse_keqv_list

#: Digest algorithms, the better one first. Cameras know MD5; it never protects the pictures.
_HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "SHA-256": hashlib.sha256,
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
}


def authorization(challenges: Iterable[str], path: str, user: str, password: str) -> str | None:
    """The header ``Authorization`` for a GET of ``path``; None: no challenge can be answered.

    ``challenges`` are the headers ``WWW-Authenticate``. Digest wins over Basic, which would show
    the password to everybody on the way.
    """
    known = [(name.lower(), text) for name, _, text in (c.partition(" ") for c in challenges)]
    digests = [parse_keqv_list(parse_http_list(text)) for name, text in known if name == "digest"]
    for algorithm, hashed in _HASHES.items():
        for challenge in digests:
            if challenge.get("algorithm", "MD5").upper() == algorithm and "nonce" in challenge:
                return _digest(challenge, hashed, path, user, password)
    if any(name == "basic" for name, _ in known):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return None


def _digest(
    challenge: dict[str, str],
    hashed: Callable[[bytes], "hashlib._Hash"],
    path: str,
    user: str,
    password: str,
) -> str:
    def of(*parts: str) -> str:
        return hashed(":".join(parts).encode()).hexdigest()

    realm, nonce = challenge.get("realm", ""), challenge["nonce"]
    who, what = of(user, realm, password), of("GET", path)
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": path}
    if "auth" in [word.strip() for word in challenge.get("qop", "").split(",")]:
        count, own = "00000001", secrets.token_hex(8)
        fields["response"] = of(who, nonce, count, own, "auth", what)
        bare = f', qop=auth, nc={count}, cnonce="{own}"'
    else:
        fields["response"] = of(who, nonce, what)
        bare = ""
    if "opaque" in challenge:
        fields["opaque"] = challenge["opaque"]
    quoted = ", ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items())
    return f"Digest {quoted}, algorithm={challenge.get('algorithm', 'MD5')}{bare}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
