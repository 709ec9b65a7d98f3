"""RabbitMQ's management API: the only way to change users and definitions of a running broker."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, SecretStr

from maskgate.protocol.errors import BrokerError, ConfigurationError
from maskgate.runtime.settings import Settings

_TIMEOUT_S = 10
_NOT_FOUND = 404


class ManagementSettings(Settings):
    """How an administrator reaches RabbitMQ's management API."""

    management_url: str = Field(
        "http://admin@127.0.0.1:15672", description="management API of the broker, with the user"
    )
    management_password: SecretStr | None = Field(None, description="password of that user")
    management_ca_file: Path | None = Field(
        None, description="certificate authorities to trust, PEM (default: the system's)"
    )
    secrets_dir: Path | None = Field(
        None, description="passwords, as 'maskgate secrets DIR' writes them"
    )


class Management:
    """Requests to the API, as the user that the URL names.

    Raises:
        ConfigurationError: URL, password or authorities can't be used.
    """

    def __init__(self, url: str, password: SecretStr | None, ca: Path | None = None) -> None:
        parts = _checked(url)
        if password is None:
            msg = (
                "MASKGATE_MANAGEMENT_PASSWORD: not set; set it, "
                "or name a file in MASKGATE_MANAGEMENT_PASSWORD_FILE"
            )
            raise ConfigurationError(msg)
        login = f"{unquote(parts.username or 'admin')}:{password.get_secret_value()}"
        self.host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{self.host}{parts.path.rstrip('/')}/api/"
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
            "Content-Type": "application/json",
        }
        # Without the environment's proxies: they would see the password.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trusting(ca))
        )

    def get(self, *path: str) -> Any:
        """The answer to a GET; None if there is no such thing.

        Raises:
            BrokerError: the broker can't be reached or refuses.
        """
        return self._request("GET", path, None)

    def put(self, *path: str, body: dict[str, Any]) -> None:
        """Create or change something.

        Raises:
            BrokerError: as :meth:`get`.
        """
        self._request("PUT", path, body)

    def post(self, *path: str, body: dict[str, Any]) -> None:
        """Send something, for example definitions.

        Raises:
            BrokerError: as :meth:`get`.
        """
        self._request("POST", path, body)

    def delete(self, *path: str) -> None:
        """Delete something; it may be gone already.

        Raises:
            BrokerError: as :meth:`get`.
        """
        self._request("DELETE", path, None)

    def _request(self, method: str, path: tuple[str, ...], body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310  (_checked allows http and https)
            self._base + "/".join(quote(part, safe="") for part in path),
            data=None if body is None else json.dumps(body).encode(),
            headers=self._headers,
            method=method,
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == _NOT_FOUND and method != "PUT":
                    return None
                answer_text = error.read(500).decode(errors="replace")
            msg = (
                f"the broker at {self.host} refuses {method} {path[0]}: {error.code} {answer_text}"
            )
            raise BrokerError(msg) from None
        except OSError as error:
            msg = f"no answer from the management API at {self.host}: {error}"
            raise BrokerError(msg) from None
        return json.loads(content) if content else None


def _checked(url: str) -> Any:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_sound = False
    if not is_sound:
        msg = "MASKGATE_MANAGEMENT_URL, --management-url: not an http:// or https:// URL"
        raise ConfigurationError(msg)
    if parts.password is not None:
        msg = (
            "MASKGATE_MANAGEMENT_URL, --management-url: must not hold a password, which other "
            "users of the machine can read; set MASKGATE_MANAGEMENT_PASSWORD or "
            "MASKGATE_MANAGEMENT_PASSWORD_FILE"
        )
        raise ConfigurationError(msg)
    return parts


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        msg = f"MASKGATE_MANAGEMENT_CA_FILE: holds no certificate in PEM format ({error.strerror})"
        raise ConfigurationError(msg) from None
