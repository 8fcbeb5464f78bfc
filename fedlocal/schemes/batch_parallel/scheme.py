"""The batch queue of Bartsch & Du Bois (ERAD/RS 2023): a coordinator, and processors of its batches.

The coordinator holds the network and the queue of an epoch's batches, and deals these in waves: which
processor has which batch is settled before a wave begins, and a processor that is done early waits. A
processor computes the gradient of a batch with one thread; the mean of a wave's gradients, weighted by
samples, makes one update. With ``accumulate=1`` a wave is one batch, and the processor that holds it makes
the update itself.

The bits depend on ``accumulate`` and on nothing else here: not on actors, workers or the backend, and
``sequential`` with the same ``accumulate`` has the same ones, since every scheme sums a wave by one tree.
But for scikit-learn's networks with ``accumulate=1``: their optimiser's state cannot be read, and starts anew
with each batch.
"""

from dataclasses import replace

from fedlocal.results import Checkpoint
from fedlocal.schemes.base import WITHOUT_CLIENTS, OnRound, Setting, Trained
from fedlocal.schemes.batch_parallel.waves import SharedGradients, SharedSteps
from fedlocal.schemes.coordinator import coordinate


@replace(WITHOUT_CLIENTS, pilot="fedlocal.autotune.batch_parallel_pilot.batch_parallel_pilot")
def batch_parallel(setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
    """Train with a coordinator and as many processors as the setting has actors.

    A round is as many epochs as one of ``sequential``, over the same rows in the same orders. The partition
    makes no difference: batches are drawn from all rows. An actor's error ends the run, because an update
    from fewer samples would be another one.

    Parameters
    ----------
    setting, on_round, start
        As :class:`~fedlocal.schemes.base.Scheme` says.

    Raises
    ------
    ActorFailedError
        If an actor failed.
    """
    coordinator = SharedGradients if setting.training.accumulate > 1 else SharedSteps
    return coordinate(coordinator(setting), setting, on_round, start)
