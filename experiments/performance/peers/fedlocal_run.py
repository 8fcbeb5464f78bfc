"""A whole run of fedlocal's federation, as short a program as Flower's beside it."""

from experiments.performance.apps import APPS, SAMPLES, model
from experiments.performance.peers.reports import Marks, asked
from fedlocal.flower.grid.backends import PRELOAD, Actors


def main() -> None:
    Actors().prepare(PRELOAD)  # as fedlocal's own command does: workers warm up while the rest is imported
    from experiments.performance.federation import Federation, session

    request, marks = asked(), Marks()
    rows = {"echo": 1, "training": SAMPLES // request.clients}[request.workload]
    federation = Federation(APPS[request.workload], request.clients, model().arrays, rows)
    with session():
        marks.mark()
        for _ in federation.rounds(request.rounds):
            marks.mark()
    marks.write(request)


if __name__ == "__main__":
    main()
