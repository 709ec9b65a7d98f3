"""Fetches the metrics pages of processes: every address that a name resolves to is one of them."""

import http.client
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from desk.throughput.numbers import Page, parse

_TIMEOUT_S = 2.0
_MAX_BYTES = 4 << 20
_THREADS = 8
_PORT = 9100


@dataclass(frozen=True, slots=True)
class Target:
    """One process: the name that is configured, and one address of it."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        address = f"{self.host}:{self.port}"
        return address if self.host == self.name else f"{self.name} ({address})"


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a process answered. ``trouble``: why it does not answer, or is not ready."""

    target: Target
    page: Page | None
    trouble: str

    @property
    def ready(self) -> bool:
        """Whether it answered that it is ready."""
        return self.page is not None and not self.trouble


def targets(urls: Iterable[str]) -> tuple[list[Target], list[Scraped]]:
    """The processes behind URLs such as ``http://worker:9100``; and names without an address."""
    found: dict[Target, None] = {}
    unknown = []
    for url in urls:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORT
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            trouble = f"the name has no address ({error.strerror})"
            unknown.append(Scraped(Target(host, host, port), None, trouble))
            continue
        for address in sorted({str(answer[4][0]) for answer in answers}):
            found[Target(host, address, port)] = None
    return list(found), unknown


def scrape(urls: Sequence[str], ready_path: str) -> list[Scraped]:
    """Ask all processes behind the URLs at the same time; at most a few seconds."""
    known, unknown = targets(urls)
    if not known:
        return unknown
    with ThreadPoolExecutor(min(_THREADS, len(known)), "scrape") as pool:
        return [*pool.map(lambda target: ask(target, ready_path), known), *unknown]


def ask(target: Target, ready_path: str) -> Scraped:
    """The metrics page of one process, and whether it is ready."""
    try:
        status, text = _get(target, "/metrics")
        if status != http.client.OK:
            return Scraped(target, None, f"/metrics answers {status}")
        page = parse(text)
        status, text = _get(target, ready_path)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Scraped(target, None, f"no answer: {str(error) or type(error).__name__}")
    complaints = "; ".join(text.split("\n")).strip("; ")[:200]
    return Scraped(target, page, "" if status == http.client.OK else f"not ready: {complaints}")


def _get(target: Target, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": target.name})
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_BYTES).decode()
    finally:
        connection.close()
