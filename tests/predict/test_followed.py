from __future__ import annotations

from halfsmile.predict.followed import Followed


def test_who_comes_late_and_stays_takes_the_place_of_a_passer_by() -> None:
    followed: Followed[list[int]] = Followed(3)
    for track in range(500):  # each is seen once, but for two
        for frame in range(50 if track in (7, 450) else 1):
            kept = followed.see(track, {track}, list)
            assert kept is not None
            kept.append(frame)
    assert {7, 450} <= set(followed.kept)
    assert followed.longest(2) == [7, 450]
    assert followed.kept[450] == list(range(50))
    assert followed.num_seen == 500


def test_nobody_in_view_loses_their_place() -> None:
    followed: Followed[object] = Followed(2)
    assert [followed.see(track, {1, 2, 3}, object) is not None for track in (1, 2, 3)] == [True, True, False]
    assert set(followed.kept) == {1, 2}
    assert followed.num_seen == 3
