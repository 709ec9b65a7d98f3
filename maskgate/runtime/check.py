"""What ``--check`` prints about a server: where a process would connect to, without passwords."""

from urllib.parse import urlsplit

from maskgate.runtime.tls import TlsFiles


def server_lines(name: str, login: tuple[str, str | None], tls: TlsFiles) -> list[str]:
    """Lines about one server. ``login`` is its URL, and the password if the URL holds none."""
    url, password = login
    has_password = password is not None or urlsplit(url).password is not None
    lines = [
        f"{name}: {without_password(url)}",
        f"{name} password: {'set' if has_password else 'not set'}",
    ]
    if url.startswith(("amqps:", "rediss:")):
        lines.append(
            f"{name} TLS: trusts {tls.ca or 'the certificates of the system'}; "
            f"client certificate {tls.cert or 'none'}, key {tls.key or 'none'}"
        )
    else:
        lines.append(f"{name} TLS: off")
    return lines


def without_password(url: str) -> str:
    """A URL without password and query: drivers read passwords from either."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return parts._replace(netloc=f"{user}{host}", query="", fragment="").geturl()
