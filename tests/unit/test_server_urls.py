"""A URL overrides neither a password nor a timeout: both drivers would let it win."""

import pytest

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.broker import HEARTBEAT_S, parameters
from maskgate.runtime.store import connect


@pytest.mark.parametrize(
    "option",
    ["socket_timeout=3600", "password=sesame", "username=x", "timeout=1&db=0", "sesame", "x="],
)
def test_an_option_of_a_redis_url_is_refused_by_name(option: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^MASKGATE_REDIS_URL: must not") as refused:
        connect(f"redis://h/0?{option}", None, name="test", timeout_s=0.3)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("option", ["heartbeat=0&blocked_connection_timeout=9999", "frame_max=4"])
def test_an_option_of_a_broker_url_is_refused_by_name(option: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^MASKGATE_BROKER_URL: must not hold options"):
        parameters(f"amqp://h/%2F?{option}", None, name="test")


@pytest.mark.parametrize("url", ["redis://gate:sesame@h/0", "rediss://:sesame@h", "redis://:@h"])
def test_two_passwords_for_redis_are_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MASKGATE_REDIS_PASSWORD is set too") as refused:
        connect(url, "other", name="test", timeout_s=0.3)
    assert "sesame" not in str(refused.value)


def test_two_passwords_for_the_broker_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="MASKGATE_BROKER_PASSWORD is set too") as refused:
        parameters("amqp://worker:sesame@h", "other", name="test")
    assert "sesame" not in str(refused.value)


def test_one_password_may_stand_in_the_url_or_beside_it() -> None:
    for login in (("amqp://guest:guest@h", None), ("amqp://guest@h", "guest")):
        wanted = parameters(*login, name="test")
        assert (wanted.credentials.password, wanted.heartbeat) == ("guest", HEARTBEAT_S)
    for url, password in (("redis://u:p@h/3", None), ("redis://u@h/3", "p")):
        with connect(url, password, name="test", timeout_s=0.3) as client:
            options = client.connection_pool.connection_kwargs
        assert (options["password"], options["db"], options["socket_timeout"]) == ("p", 3, 0.3)


def test_the_database_of_a_unix_socket_may_be_an_option() -> None:
    with connect("unix:///run/redis?db=3", None, name="test", timeout_s=0.3) as client:
        assert client.connection_pool.connection_kwargs["db"] == 3
