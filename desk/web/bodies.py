"""Reads the body of a request within limits of size and time, before anything else sees it.

So handlers may be plain functions, which can't wait for a slow client, and find a parsed form.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive

#: More than any form of the page needs: nobody uploads anything.
MAX_BODY_BYTES = 64 * 1024
_MAX_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"
#: What is not read must not be taken for the next request.
_CLOSE = {"Connection": "close"}


async def read_form(request: Request, receive: Receive, timeout_s: float) -> Mapping[str, str]:
    """The fields of a form that is sent as a browser sends one; the last of a name counts.

    Raises:
        HTTPException: 408, 413 or 415 for what takes too long, is too large or is no such form;
            400 for what is not finished or has too many fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes", headers=_CLOSE)
    try:
        async with asyncio.timeout(timeout_s):
            body = await _read(receive)
    except TimeoutError:
        raise HTTPException(408, "the request took too long", headers=_CLOSE) from None
    if kind != _FORM and body:
        raise HTTPException(415, f"send {_FORM}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise HTTPException(400, "not a form") from None
    return dict(pairs)


async def _read(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the request was not finished")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes", headers=_CLOSE)
        more = message.get("more_body", False)
    return bytes(body)
