"""The processor time of the slowest crop that a search finds is bounded."""

from maskgate.inference.image import JPEG
from tests.faults.jpeg_genes import refined
from tests.faults.slow_bodies import FAMILIES, LIMIT_MS, cost_ms, search


def test_the_slowest_crop_that_a_search_finds_takes_20_ms_at_most() -> None:
    slowest = search(tries=600, seed=2)
    assert {slow.family for slow in slowest if slow.accepted and slow.ms > 1} == FAMILIES.keys()
    for slow in slowest:
        assert slow.ms <= LIMIT_MS, slow.genes


def test_ten_scans_that_refine_every_coefficient_take_20_ms_at_most() -> None:
    for size in (128 * 1024, 256 * 1024):
        assert cost_ms(refined(size), JPEG) <= LIMIT_MS
