"""A wrong setting for TLS is named, and no key is ever repeated."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from maskgate.gate.settings import WaitSettings, WatchSettings
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.broker import parameters
from maskgate.runtime.settings import Settings, load
from maskgate.runtime.store import connect
from maskgate.runtime.tls import TlsFiles, client_context
from producer.settings import FolderSettings, SyntheticSettings
from tests.servers.certificates import Authority, Certificate
from worker.settings import WorkerSettings


@pytest.fixture
def own(authority: Authority) -> Certificate:
    return authority.issue("worker")


def complaint(files: TlsFiles, url: str = "amqps://broker") -> str:
    with pytest.raises(ConfigurationError) as caught:
        client_context(url, files, setting="MASKGATE_BROKER")
    text = str(caught.value)
    # The lines of a PEM file are 64 characters; no complaint may hold a piece of one.
    for path in (files.ca, files.cert, files.key):
        if path is not None and path.is_file():
            assert not any(
                line in text for line in path.read_text(errors="replace").splitlines() if line
            )
    return text


def test_a_context_verifies_certificate_and_host_name_with_tls_1_2_at_least(
    authority: Authority, own: Certificate
) -> None:
    for files in (TlsFiles(), TlsFiles(authority.ca), TlsFiles(authority.ca, own.cert, own.key)):
        context = client_context("rediss://redis", files, setting="MASKGATE_REDIS")
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "option",
    [
        "ssl_cert_reqs=none",
        "ssl_check_hostname=false",
        "ssl_options=%7B%27cert_reqs%27%3A0%7D",
        "%73sl_ca_path=",
    ],
)
def test_no_option_of_a_url_switches_verification_off(option: str) -> None:
    with pytest.raises(ConfigurationError, match="MASKGATE_REDIS_URL"):
        connect(f"rediss://h/0?{option}", None, name="test", timeout_s=1)
    with pytest.raises(ConfigurationError, match="MASKGATE_BROKER_URL"):
        parameters(f"amqps://h/?{option}", None, name="test")


@pytest.mark.parametrize("url", ["amqp://h", "redis://h", "unix:///run/redis"])
def test_a_certificate_for_a_url_without_tls_is_refused(
    url: str, authority: Authority, own: Certificate
) -> None:
    assert "MASKGATE_BROKER_CA_FILE" in complaint(TlsFiles(authority.ca), url)
    assert "MASKGATE_BROKER_CERT_FILE, MASKGATE_BROKER_KEY_FILE" in complaint(
        TlsFiles(None, own.cert, own.key), url
    )


def test_a_certificate_needs_its_key_and_a_key_its_certificate(own: Certificate) -> None:
    assert complaint(TlsFiles(cert=own.cert)).startswith("MASKGATE_BROKER_KEY_FILE: needed")
    assert complaint(TlsFiles(key=own.key)).startswith("MASKGATE_BROKER_CERT_FILE: needed")


def test_one_file_may_hold_certificate_and_key(own: Certificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(own.key.read_bytes() + own.cert.read_bytes())
    assert client_context("amqps://h", TlsFiles(cert=both, key=both), setting="MASKGATE_BROKER")


def test_a_file_that_is_missing_or_none_is_named(own: Certificate, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "junk").write_bytes(b"\xff\xfe junk" * 99)
    for wrong in (tmp_path / "missing", tmp_path, tmp_path / "empty", tmp_path / "junk"):
        assert "MASKGATE_BROKER_CA_FILE" in complaint(TlsFiles(wrong))
        assert "MASKGATE_BROKER_CERT_FILE" in complaint(TlsFiles(None, wrong, own.key))
        assert "MASKGATE_BROKER_KEY_FILE" in complaint(TlsFiles(None, own.cert, wrong))
    assert "MASKGATE_BROKER_CA_FILE" in complaint(TlsFiles(own.key))


def test_a_key_of_another_certificate_is_told_from_one_that_is_no_key(
    authority: Authority, own: Certificate
) -> None:
    assert "is not the key of" in complaint(TlsFiles(None, own.cert, authority.issue("other").key))
    assert "not a certificate and its private key" in complaint(TlsFiles(None, own.key, own.cert))


def test_a_key_with_a_passphrase_is_refused_rather_than_asked_for(
    own: Certificate, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    key = load_pem_private_key(own.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    assert "passphrase" in complaint(TlsFiles(None, own.cert, locked))


def test_a_key_given_in_place_of_its_path_is_not_repeated(own: Certificate) -> None:
    text = own.key.read_text()
    assert not any(
        line in complaint(TlsFiles(None, own.cert, Path(text))) for line in text.splitlines()
    )


def test_the_paths_come_from_the_environment_and_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MASKGATE_BROKER_KEY_FILE", "/run/key.pem")
    monkeypatch.setenv("MASKGATE_REDIS_CA_FILE", "/run/ca.pem")
    settings = load(WorkerSettings, ["--broker-cert-file", "/run/cert.pem"], "test")
    assert settings.broker_tls() == TlsFiles(None, Path("/run/cert.pem"), Path("/run/key.pem"))
    assert settings.redis_tls() == TlsFiles(Path("/run/ca.pem"))


@pytest.mark.parametrize(
    "kind", [WorkerSettings, FolderSettings, SyntheticSettings, WaitSettings, WatchSettings]
)
def test_no_setting_reads_the_file_that_another_setting_names(kind: type[Settings]) -> None:
    assert not {f"{name}_file" for name in kind.model_fields} & kind.model_fields.keys()


@pytest.mark.parametrize("url", ["amqp://[", "amqps://h:port"])
def test_a_broker_url_that_cannot_be_split_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MASKGATE_BROKER_URL"):
        parameters(url, None, name="test")
