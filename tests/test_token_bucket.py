"""A token bucket, on a clock that stands still."""

import pytest

from contacts_mcp.token_bucket import TokenBucket


@pytest.mark.parametrize(("per_minute", "burst"), [(6, 10), (60, 10), (120, 20), (1_200, 200)])
def test_burst_is_a_sixth_of_a_minute_but_at_least_ten(per_minute, burst):
    bucket = TokenBucket(per_minute, now=0)

    assert [bucket.wait(0) for _ in range(burst)] == [0] * burst
    assert bucket.wait(0) == pytest.approx(60 / per_minute)


def test_multiplied_bucket_has_that_burst_and_rate():
    bucket = TokenBucket(60, now=0, times=2)

    assert [bucket.wait(0) for _ in range(20)] == [0] * 20
    assert bucket.wait(0) == pytest.approx(0.5)


def test_bucket_refills_up_to_its_burst():
    bucket = TokenBucket(60, now=0)
    bucket.wait(0)

    assert not bucket.is_full(0.5)
    assert bucket.is_full(1_000)
    assert [bool(bucket.wait(1_000)) for _ in range(11)] == [False] * 10 + [True]


def test_rate_of_zero_is_unlimited():
    bucket = TokenBucket(0, now=0)

    assert {bucket.wait(0) for _ in range(1_000)} == {0}
