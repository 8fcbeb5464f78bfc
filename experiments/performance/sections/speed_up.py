"""The federated scheme against the sequential one on one thread, round by round in one run of fedlocal."""

import time
from collections.abc import Iterator

import fedlocal
from experiments.performance.hosts import Steps
from experiments.rows import Row, row_of
from experiments.runner import Options
from fedlocal.actors import ActorSystem, Envelope, usable_cores

ACTORS = (2, 4, 8, 16, 32)
WORKERS = 2
BASELINE = "sequential, 1 thread"
MEASURE = "speed-up over sequential"
WORKLOAD = (
    "dataset=synthetic",
    "dataset.test=1000",
    "batch_size=64",
    "model.learning_rate=0.02",
    "display=off",
)


def measure(options: Options) -> Iterator[Row]:
    """Yield the machine's limit, the speed-up by numbers of actors, and that by numbers of workers."""
    yield _ceiling(6 if options.quick else 20)
    rounds = 4 if options.quick else 9
    for actors in (8,) if options.quick else ACTORS:
        yield _compared(actors, WORKERS, rounds, at_least=1.88 if actors == 2 else 1.8)
    if not options.quick:
        for workers in _scale(usable_cores()):
            yield _compared(max(ACTORS), workers, rounds)


def _ceiling(turns: int) -> Row:
    """Return how many times faster two processes do the same steps on their own rows than one does both."""
    with ActorSystem(Steps, workers=2) as system:

        def seconds(*actors: int) -> float:
            started = time.perf_counter()
            system.ask([Envelope(actor) for actor in actors])
            return time.perf_counter() - started

        seconds(0, 1)
        ratios = [(seconds(0) + seconds(1)) / seconds(0, 1) for _ in range(turns)]
    return row_of(
        "speed_up", "2 processes that share nothing", MEASURE, ratios, "x", note="the machine's limit"
    )


def _scale(most: int) -> list[int]:
    """Return 1, 4, 8, … up to `most`; 2 is measured already."""
    doubled = [1 << power for power in range(most.bit_length())]
    return sorted({*doubled, most} - {WORKERS})


def _compared(actors: int, workers: int, rounds: int, at_least: float | None = None) -> Row:
    settings = (f"actors={actors}", f"workers={workers}", f"rounds={rounds}", f"evaluate_every={rounds}")
    outcome = fedlocal.run(fedlocal.compose(*WORKLOAD, *settings))
    baseline, main = outcome.histories[BASELINE], outcome.histories["federated"]
    pairs = [
        (alone.timed, parallel.timed) for alone, parallel in zip(baseline.rounds, main.rounds, strict=True)
    ]
    steady = [alone / parallel for alone, parallel in pairs[2:]]  # after round 0 and a round that warms up
    note = f"over all rounds {baseline.seconds / main.seconds:.3f}; idle {main.idle_share:.1%}"
    setting = f"{actors} actors, {workers} workers"
    return row_of("speed_up", setting, MEASURE, steady, "x", at_least=at_least, note=note)
