from maskgate.operations.redis_memory import configuration, limit_mib


def test_the_limit_grows_with_doors_and_histories() -> None:
    assert limit_mib(100, 10_000) == 280
    assert limit_mib(200, 10_000) > 1.8 * limit_mib(100, 10_000)
    assert limit_mib(100, 1_000) < limit_mib(100, 10_000) / 2.5


def test_full_histories_fit_before_workers_shorten_them() -> None:
    # As measured: 1.54 MB for 10,010 entries.
    assert 0.75 * limit_mib(186, 10_000) * 2**20 > 186 * 1.54e6


def test_the_configuration_is_one_that_redis_reads() -> None:
    assert configuration(100, 10_000).splitlines()[-1] == "maxmemory 280mb"
