"""The way of an epoch's batches through a pipeline: each step that is done sends what it makes possible.

That happens where results arrive, in the thread of the actor system, so that no step waits until a second
thread is awake.
"""

import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from threading import Lock

from fedlocal.actors import Reply, Result
from fedlocal.schemes.coordinator import TeamError, checked
from fedlocal.schemes.pipeline.schedule import Flow, Plan
from fedlocal.schemes.round_timer import Tally

Send = Callable[[int, int], Future[Result]]


class Passage:
    """One epoch.

    Parameters
    ----------
    plan : Plan
        How it is cut up.
    send : callable
        ``send(step, batch)`` has a batch make a step, and returns the future of the result.
    update : callable
        ``update(last)`` makes an update when the wave is through whose last batch it is told.
    tally : Tally
        Of the round.
    """

    def __init__(self, plan: Plan, send: Send, update: Callable[[int], None], tally: Tally) -> None:
        self._plan, self._send, self._update, self._tally = plan, send, update, tally
        self._flow, self._losses, self._replies = Flow(plan), [0.0] * plan.batches, 0
        self._arrived: deque[Callable[[], None]] = deque()
        self._driving = Lock()
        self._end: Future[float] = Future()
        self._over = False

    def run(self, timeout: float | None) -> float:
        """Wait until all batches are through; return the sum of the losses over all rows.

        Raises
        ------
        TeamError
            If an actor fails, or none replies for `timeout` seconds.
        """
        self._drive(self._send_ready)
        try:
            while True:
                before = self._replies
                if wait([self._end], timeout).done:
                    return self._end.result()
                if self._replies == before:
                    raise TeamError(f"no actor has replied within {timeout:g} s")
        finally:
            self._over = True
            self._end = Future()  # its error holds the frames that hold it, and with them shared memory

    def _drive(self, event: Callable[[], None]) -> None:
        """Handle an event after those before it, in whichever thread is at it."""
        self._arrived.append(event)
        while self._arrived and self._driving.acquire(blocking=False):
            try:
                while self._arrived:
                    event = self._arrived.popleft()
                    if not self._over:
                        event()
            except Exception as error:  # noqa: BLE001 - who waits is told
                self._over = True
                self._end.set_exception(error)
            finally:
                self._driving.release()

    def _send_ready(self) -> None:
        for step, batch in self._flow.ready():
            self._send(step, batch).add_done_callback(partial(self._on_result, step, batch))

    def _on_result(self, step: int, batch: int, future: Future[Result]) -> None:
        self._drive(lambda: self._advance(step, batch, checked(future.result())))

    def _advance(self, step: int, batch: int, reply: Reply) -> None:
        """Note a step, update where it was a wave's last, and send what is ready now."""
        self._note(batch, reply)
        self._flow.done(step, batch)
        if self._flow.finished == self._flow.open:
            self._tally.lap("training")
            self._update(self._flow.open - 1)
            self._flow.updated()
            self._tally.lap("aggregation")
        if self._flow.finished == self._plan.batches:
            self._end.set_result(sum(self._losses))
        else:
            self._send_ready()

    def _note(self, batch: int, reply: Reply) -> None:
        self._replies += 1
        start, stop = self._plan.rows_of(batch)
        answer = json.loads(reply.wire.body)
        own = [answer["loss"] * (stop - start)] if "loss" in answer else []
        self._losses[batch] += sum(own)
        self._tally.busy += reply.ended - reply.started
        self._tally.note(reply.worker, reply.actor, stop - start, own, reply.started, reply.ended)
