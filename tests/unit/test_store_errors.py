import pytest
from redis import exceptions as driver

from maskgate.protocol.errors import StoreError
from maskgate.runtime.store import store_errors

EXPIRED = driver.ConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] expired")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (driver.ConnectionError("gone"), "ConnectionError: gone"),
        (driver.TimeoutError("slow"), "TimeoutError: slow"),
        (driver.NoPermissionError("no"), "NoPermissionError: no"),
        (EXPIRED, "MASKGATE_REDIS_CA_FILE"),
    ],
)
def test_an_error_of_the_driver_becomes_a_store_error_with_its_likely_cause(
    error: driver.RedisError, text: str
) -> None:
    with pytest.raises(StoreError, match=text), store_errors():
        raise error


def test_a_value_that_cannot_be_sent_is_an_error_of_the_program() -> None:
    error = driver.DataError("Invalid input of type: 'object'")
    with pytest.raises(driver.DataError), store_errors():
        raise error
