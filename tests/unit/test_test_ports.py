"""The servers that tests start must not take each other's ports."""

from tests.servers.ports import free_port


def test_no_port_is_given_out_twice() -> None:
    given = [free_port() for _ in range(2000)]
    assert len(set(given)) == len(given)
