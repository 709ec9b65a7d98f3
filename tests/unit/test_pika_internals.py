import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pika.data
import pytest
from structlog.testing import capture_logs

from maskgate.runtime import pika_internals

ROOT = Path(__file__).parent.parent.parent
#: A header table of one entry, "t", of type T (time stamp), far out of Python's range.
BAD_TABLE = (11).to_bytes(4, "big") + b"\x01tT" + (1 << 62).to_bytes(8, "big")


def parts(**changes: object) -> SimpleNamespace:
    """As much of a connection as :func:`attach` needs; a part whose value is None is missing."""
    inner = {"_on_data_available": print, "_frame_buffer": b"", "bytes_received": 0}
    transport: dict[str, Any] = {"_MAX_CONSUME_BYTES": 100_000, "_MAX_RECV_BYTES": 4096}
    outer: dict[str, Any] = {"_request_channel_dispatch": print}
    for known in (inner, transport, outer):
        known |= {name: value for name, value in changes.items() if name in known}
    inner["_transport"] = SimpleNamespace(**{k: v for k, v in transport.items() if v is not None})
    outer["_impl"] = SimpleNamespace(**{k: v for k, v in inner.items() if v is not None})
    return SimpleNamespace(**{k: v for k, v in outer.items() if v is not None})


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Any:
    """pika's own decoder, whatever other tests installed."""
    decode = pika.data.decode_table
    cells = {cell.cell_contents for cell in getattr(decode, "__closure__", None) or ()}
    own = next(iter(cells), decode)
    monkeypatch.setattr(pika.data, "decode_table", own)
    return own


def test_importing_a_process_changes_nothing_in_pika() -> None:
    program = (
        "import pika.data; before = pika.data.decode_table; import worker.__main__;"
        "import maskgate.runtime.broker; print(pika.data.decode_table is before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


@pytest.mark.usefixtures("untouched")
def test_a_table_that_can_not_be_decoded_is_skipped_once_installed() -> None:
    with pytest.raises(Exception, match=r"out of range|too large|year"):
        pika.data.decode_table(BAD_TABLE + b"after", 0)
    pika_internals.install()
    installed = pika.data.decode_table
    pika_internals.install()
    assert pika.data.decode_table is installed
    assert pika.data.decode_table(BAD_TABLE + b"after", 0) == ({}, len(BAD_TABLE))


def test_a_decoder_of_another_name_is_a_warning(
    untouched: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pika.data, "decode_table")
    with capture_logs() as lines:
        pika_internals.install()
    assert [(line["log_level"], line["name"]) for line in lines] == [
        ("warning", "pika.data.decode_table")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_on_data_available", None),
        ("_frame_buffer", None),
        ("bytes_received", None),
        ("_MAX_CONSUME_BYTES", None),
        ("_MAX_RECV_BYTES", "4 KiB"),
        ("_request_channel_dispatch", None),
    ],
)
def test_a_connection_with_other_private_names_is_a_warning_and_left_as_it_is(
    name: str, value: object
) -> None:
    connection = parts(**{name: value})
    with capture_logs() as lines:
        assert pika_internals.attach(connection, 1) is None
    assert [(line["log_level"], line["name"]) for line in lines] == [("warning", name)]
    assert getattr(connection._impl, "_on_data_available", print) is print


def test_a_connection_with_the_known_names_is_attached_without_a_warning() -> None:
    connection = parts()
    with capture_logs() as lines:
        assert pika_internals.attach(connection, 1) is not None
    assert lines == []
    assert connection._impl._on_data_available is not print
