"""Who gets which message: nobody is idle while there is work, and nobody hoards it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors.batch import Batch, Task
from fedlocal.actors.engine.dispatcher import AT_LEAST, AT_MOST, Dispatcher, Mailboxes
from fedlocal.actors.messages import Envelope
from fedlocal.memory.buffers import Broadcast

CONTENT = Broadcast(b"what all of them share", [])


def posted(costs: list[float], content: Broadcast | None = CONTENT) -> Dispatcher:
    dispatcher = Dispatcher()
    batch = Batch([Envelope(actor, content=content, cost=cost) for actor, cost in enumerate(costs)])
    for index in range(len(costs)):
        dispatcher.put(Task(batch, index))
    return dispatcher


def counts(given_: dict[int, list[tuple[Task, bool]]]) -> list[int]:
    return [len(given_.get(worker, [])) for worker in range(2)]


@pytest.mark.parametrize(
    ("messages", "first"), [(1, [1, 0]), (2, [1, 1]), (3, [1, 1]), (4, [2, 1]), (6, [2, 2])]
)
def test_idle_workers_come_first_and_as_much_work_is_left_for_each_worker_as_a_worker_holds(
    messages: int, first: list[int]
) -> None:
    assert counts(posted([1.0] * messages).assign([0, 1])) == first


def test_a_worker_holds_one_message_of_unknown_duration() -> None:
    assert counts(posted([1.0] * 9, content=None).assign([0, 1])) == [1, 1]


def test_messages_of_a_dead_worker_go_first_and_the_suspect_goes_alone() -> None:
    dispatcher = posted([1.0] * 9)
    held = [task for task, _ in dispatcher.assign([0])[0]]
    dispatcher.forget_worker(0)
    for task in held:
        dispatcher.put_back(task, alone=task is held[0])
    given_ = dispatcher.assign([1, 2])
    assert given_[1] == [(held[0], True)]
    assert given_[2][0] == (held[1], True)
    assert dispatcher.assign([1]) == {}
    dispatcher.finish(1, held[0], 1e-5)
    assert len(dispatcher.assign([1])[1]) > 1


def test_a_message_that_was_put_back_can_be_withdrawn() -> None:
    dispatcher = posted([1.0])
    ((task, _),) = dispatcher.assign([0])[0]
    dispatcher.forget_worker(0)
    dispatcher.put_back(task, alone=False)
    assert dispatcher.withdraw(lambda _: True) == [task]
    assert not dispatcher.waiting


def test_a_message_longer_than_all_other_messages_together_is_not_held_in_advance() -> None:
    assert counts(posted([9.0, 8.0, 7.0, 1.0]).assign([0, 1])) == [1, 1]


def test_a_worker_holds_many_messages_known_to_be_short() -> None:
    dispatcher = posted([1.0] * 1000)
    (task, _), *_ = dispatcher.assign([0, 1])[0]
    assert dispatcher.assign([0, 1]) == {}
    dispatcher.finish(0, task, 1e-5)
    assert counts(dispatcher.assign([0, 1])) == [AT_MOST - AT_LEAST + 1, AT_MOST - AT_LEAST]


def test_a_worker_holds_two_messages_known_to_be_long() -> None:
    dispatcher = posted([1.0] * 1000)
    (task, _), *_ = dispatcher.assign([0, 1])[0]
    dispatcher.finish(0, task, 1.0)
    assert counts(dispatcher.assign([0, 1])) == [1, 0]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(1, 4), st.data())
def test_every_message_is_given_once_and_no_worker_waits_beside_work(
    costs: list[float], workers: int, data: st.DataObject
) -> None:
    dispatcher, ids = posted(costs), list(range(workers))
    held: dict[int, list[Task]] = {worker: [] for worker in ids}
    seen = []
    while True:
        for worker, tasks in dispatcher.assign(ids).items():
            held[worker] += [task for task, _ in tasks]
            seen += [task.envelope.actor for task, _ in tasks]
        assert all(held.values()) or not dispatcher.mailboxes.ready
        if not (busy := [worker for worker in ids if held[worker]]):
            break
        worker = data.draw(st.sampled_from(busy))
        task = held[worker].pop(0)
        dispatcher.finish(worker, task, data.draw(st.sampled_from([None, 1e-5, 1.0])))
    assert sorted(seen) == list(range(len(costs)))


# The mailboxes


def test_the_longest_message_goes_first_and_equal_messages_in_their_order() -> None:
    mailboxes: Mailboxes[str] = Mailboxes()
    for actor, cost in enumerate([1.0, 5.0, 3.0, 5.0]):
        mailboxes.put(actor, cost, f"{actor}")
    assert [taken[0] for _ in range(4) if (taken := mailboxes.take(0))] == ["1", "3", "2", "0"]
    assert mailboxes.take(0) is None


def test_an_actor_has_one_message_in_flight_and_gets_its_messages_in_order() -> None:
    mailboxes: Mailboxes[str] = Mailboxes()
    mailboxes.put(0, 1, "first")
    mailboxes.put(0, 9, "second")
    assert mailboxes.take(0) == ("first", True)
    assert mailboxes.take(1) is None
    mailboxes.finish(0)
    assert mailboxes.take(1) == ("second", True)


def test_a_worker_prefers_the_actors_that_it_ran_last_and_takes_other_actors_rather_than_wait() -> None:
    mailboxes: Mailboxes[int] = Mailboxes()
    for actor in range(4):
        mailboxes.put(actor, 1, actor)
    for worker in (0, 1, 1, 0):
        taken = mailboxes.take(worker)
        assert taken
        mailboxes.finish(taken[0])
    for actor in range(4):
        mailboxes.put(actor, 1, actor)
    assert [mailboxes.take(1), mailboxes.take(1)] == [(1, False), (2, False)]
    assert mailboxes.take(1) == (0, True)


def test_withdrawn_messages_are_never_offered() -> None:
    mailboxes: Mailboxes[int] = Mailboxes()
    for number in range(6):
        mailboxes.put(number % 2, 1, number)
    assert mailboxes.take(0) == (0, True)
    assert mailboxes.remove(lambda number: number < 4) == [2, 1, 3]
    assert mailboxes.take(1) == (5, True)
    assert mailboxes.take(1) is None
    mailboxes.finish(0)
    assert mailboxes.take(1) == (4, True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=40), st.integers(1, 4))
def test_every_message_is_offered_once_and_in_order_per_actor(
    messages: list[tuple[int, int]], workers: int
) -> None:
    mailboxes: Mailboxes[tuple[int, int]] = Mailboxes()
    for number, (actor, cost) in enumerate(messages):
        mailboxes.put(actor, cost, (actor, number))
    taken = []
    while any(offers := [mailboxes.take(worker) for worker in range(workers)]):
        for offer in filter(None, offers):
            taken.append(offer[0])
            mailboxes.finish(offer[0][0])
    assert sorted(number for _, number in taken) == list(range(len(messages)))
    for actor in range(6):
        numbers = [number for owner, number in taken if owner == actor]
        assert numbers == sorted(numbers)
