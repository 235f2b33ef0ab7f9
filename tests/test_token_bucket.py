"""A token bucket, on a clock that stands still."""

import pytest

from contacts_mcp.token_bucket import TokenBucket


@pytest.mark.parametrize(("per_minute", "burst"), [(6, 10), (60, 10), (120, 20), (1_200, 200)])
def test_a_sixth_of_a_minute_but_at_least_ten_may_come_at_once(per_minute, burst):
    bucket = TokenBucket(per_minute, now=0)

    assert [bucket.wait(0) for _ in range(burst)] == [0] * burst
    assert bucket.wait(0) == pytest.approx(60 / per_minute)


def test_a_multiple_holds_and_gets_as_much_more():
    bucket = TokenBucket(60, now=0, times=2)

    assert [bucket.wait(0) for _ in range(20)] == [0] * 20
    assert bucket.wait(0) == pytest.approx(0.5)


def test_it_is_full_again_and_never_fuller():
    bucket = TokenBucket(60, now=0)
    bucket.wait(0)

    assert not bucket.is_full(0.5)
    assert bucket.is_full(1_000)
    assert [bool(bucket.wait(1_000)) for _ in range(11)] == [False] * 10 + [True]


def test_nothing_a_minute_is_no_limit():
    bucket = TokenBucket(0, now=0)

    assert {bucket.wait(0) for _ in range(1_000)} == {0}
