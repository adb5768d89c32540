from __future__ import annotations

from halfsmile.predict.person_slots import PersonSlots


def test_who_comes_late_and_stays_takes_the_place_of_a_passer_by() -> None:
    slots: PersonSlots[list[int]] = PersonSlots(3)
    for track in range(500):  # each is seen once, but for two
        for frame in range(50 if track in (7, 450) else 1):
            kept = slots.see(track, {track}, list)
            assert kept is not None
            kept.append(frame)
    assert {7, 450} <= set(slots.kept)
    assert slots.longest(2) == [7, 450]
    assert slots.kept[450] == list(range(50))
    assert slots.num_seen == 500


def test_nobody_in_view_loses_their_place() -> None:
    slots: PersonSlots[object] = PersonSlots(2)
    assert [slots.see(track, {1, 2, 3}, object) is not None for track in (1, 2, 3)] == [True, True, False]
    assert set(slots.kept) == {1, 2}
    assert slots.num_seen == 3
