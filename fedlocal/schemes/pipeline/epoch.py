"""An epoch of a pipeline: when a step is done, the steps that it makes possible are sent.

They are sent from the thread of the actor system where results arrive, so that no step waits until a second
thread is awake.
"""

import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from threading import Lock

from fedlocal.actors import Reply, Result
from fedlocal.schemes.coordinator import ActorFailedError, checked
from fedlocal.schemes.pipeline.schedule import EpochPlan, PipelineSchedule
from fedlocal.schemes.round_timer import RoundTimer

Send = Callable[[int, int], Future[Result]]


class PipelineEpoch:
    """One epoch of a pipeline.

    ``send(step, batch)`` has a batch make a step and returns the future of the result, ``update(last)`` makes
    the update of the wave whose last batch has this number.
    """

    def __init__(self, plan: EpochPlan, send: Send, update: Callable[[int], None], timer: RoundTimer) -> None:
        self._plan, self._send, self._update, self._timer = plan, send, update, timer
        self._schedule, self._losses, self._replies = PipelineSchedule(plan), [0.0] * plan.batches, 0
        self._arrived: deque[Callable[[], None]] = deque()
        self._driving = Lock()
        self._end: Future[float] = Future()
        self._over = False

    def run(self, timeout: float | None) -> float:
        """Wait until all batches are through; return the sum of the losses over all rows.

        Raises
        ------
        ActorFailedError
            If an actor fails, or none replies for `timeout` seconds.
        """
        self._drive(self._send_ready)
        try:
            while True:
                before = self._replies
                if wait([self._end], timeout).done:
                    return self._end.result()
                if self._replies == before:
                    raise ActorFailedError(f"no actor has replied within {timeout:g} s")
        finally:
            self._over = True
            self._end = Future()  # its error holds the frames that hold it, and with them shared memory

    def _drive(self, event: Callable[[], None]) -> None:
        """Handle an event after those before it, in the thread that is handling events if there is one."""
        self._arrived.append(event)
        while self._arrived and self._driving.acquire(blocking=False):
            try:
                while self._arrived:
                    event = self._arrived.popleft()
                    if not self._over:
                        event()
            except Exception as error:  # noqa: BLE001 - raised where run() waits
                self._over = True
                self._end.set_exception(error)
            finally:
                self._driving.release()

    def _send_ready(self) -> None:
        for step, batch in self._schedule.ready():
            self._send(step, batch).add_done_callback(partial(self._on_result, step, batch))

    def _on_result(self, step: int, batch: int, future: Future[Result]) -> None:
        self._drive(lambda: self._advance(step, batch, checked(future.result())))

    def _advance(self, step: int, batch: int, reply: Reply) -> None:
        """Note a step, update where it was a wave's last, and send what is ready now."""
        self._note(batch, reply)
        self._schedule.done(step, batch)
        if self._schedule.finished == self._schedule.open:
            self._timer.lap("training")
            self._update(self._schedule.open - 1)
            self._schedule.updated()
            self._timer.lap("aggregation")
        if self._schedule.finished == self._plan.batches:
            self._end.set_result(sum(self._losses))
        else:
            self._send_ready()

    def _note(self, batch: int, reply: Reply) -> None:
        self._replies += 1
        start, stop = self._plan.rows_of(batch)
        answer = json.loads(reply.wire.body)
        losses = [answer["loss"] * (stop - start)] if "loss" in answer else []
        self._losses[batch] += sum(losses)
        self._timer.busy += reply.ended - reply.started
        self._timer.note(reply.worker, reply.actor, stop - start, losses, reply.started, reply.ended)
