"""The order of work."""

from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors.schedule import Schedule


def test_the_longest_message_goes_first_and_equal_messages_in_their_order() -> None:
    schedule: Schedule[str] = Schedule()
    for actor, cost in enumerate([1.0, 5.0, 3.0, 5.0]):
        schedule.put(actor, cost, f"{actor}")
    assert [taken[0] for _ in range(4) if (taken := schedule.take(0))] == ["1", "3", "2", "0"]
    assert schedule.take(0) is None


def test_an_actor_has_one_message_in_flight_and_gets_its_messages_in_order() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.put(0, 1, "first")
    schedule.put(0, 9, "second")
    assert schedule.take(0) == ("first", True)
    assert schedule.take(1) is None
    schedule.done(0)
    assert schedule.take(1) == ("second", True)


def test_a_worker_prefers_the_actors_that_it_ran_last_and_takes_other_actors_rather_than_wait() -> None:
    schedule: Schedule[int] = Schedule()
    for actor in range(4):
        schedule.put(actor, 1, actor)
    for worker in (0, 1, 1, 0):
        taken = schedule.take(worker)
        assert taken
        schedule.done(taken[0])
    for actor in range(4):
        schedule.put(actor, 1, actor)
    assert [schedule.take(1), schedule.take(1)] == [(1, False), (2, False)]
    assert schedule.take(1) == (0, True)


def test_withdrawn_messages_are_never_offered() -> None:
    schedule: Schedule[int] = Schedule()
    for number in range(6):
        schedule.put(number % 2, 1, number)
    assert schedule.take(0) == (0, True)
    assert schedule.remove(lambda number: number < 4) == [2, 1, 3]
    assert schedule.take(1) == (5, True)
    assert schedule.take(1) is None
    schedule.done(0)
    assert schedule.take(1) == (4, True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=40), st.integers(1, 4))
def test_every_message_is_offered_once_and_in_order_per_actor(
    messages: list[tuple[int, int]], workers: int
) -> None:
    schedule: Schedule[tuple[int, int]] = Schedule()
    for number, (actor, cost) in enumerate(messages):
        schedule.put(actor, cost, (actor, number))
    taken = []
    while any(offers := [schedule.take(worker) for worker in range(workers)]):
        for offer in filter(None, offers):
            taken.append(offer[0])
            schedule.done(offer[0][0])
    assert sorted(number for _, number in taken) == list(range(len(messages)))
    for actor in range(6):
        numbers = [number for owner, number in taken if owner == actor]
        assert numbers == sorted(numbers)
