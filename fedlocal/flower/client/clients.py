"""Kinds of clients: fedlocal's default client, or any client app that asks for its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedlocal.data import Slice, Slices
from fedlocal.flower.admission.policy import Declaration, PolicyName
from fedlocal.flower.client.default_client import DECLARATION, DefaultApp
from fedlocal.flower.client.local_training import SliceSource
from fedlocal.flower.compat.private import RUN_ID
from fedlocal.flower.node.app_loading import AppError, called_by_name, resolve
from fedlocal.flower.node.client_runner import ClientRunner
from fedlocal.models.training_run import NewModel, Training

Answer = Callable[[Message, Context], Message]


class Client(Protocol):
    """Makes the app that answers a run's messages, in the process where clients run."""

    @property
    def declaration(self) -> Declaration:
        """What its replies to training hold."""
        ...

    def app(self, slices: SliceSource, new_model: NewModel, training: Training) -> Answer:
        """Return the app; it is called once in a process."""
        ...


@dataclass(frozen=True)
class DefaultClient:
    """fedlocal's own client: it trains the run's model on the rows of its partition."""

    declaration = DECLARATION

    def app(self, slices: SliceSource, new_model: NewModel, training: Training) -> Answer:
        """Return the app."""
        return DefaultApp(slices, new_model, training)


@dataclass(frozen=True)
class FlowerClient:
    """A client app of yours, ``module:attribute``; `partition` gives it its rows.

    It receives the run's arrays under the names that the model has, and replies with ``num-examples`` and
    arrays of the same names, shapes and dtypes; with ``admission="structural"``, with whatever the strategy
    can aggregate.

    Parameters
    ----------
    reference : str
        Where the app is: ``module:attribute``.
    admission : {"strict", "structural"}
        Which replies are taken: those of the form above with finite values, or all that parse within budgets.
    """

    reference: str
    admission: PolicyName = "strict"

    @property
    def declaration(self) -> Declaration:
        """What its replies to training hold."""
        return Declaration(policy=self.admission)

    def app(self, slices: SliceSource, new_model: NewModel, training: Training) -> Answer:  # noqa: ARG002
        """Import the app, and let it have its rows."""
        _Provided.slices = slices
        return partial(called_by_name, resolve(self.reference, ClientApp))


def without_proximal_term(app: Answer) -> Answer:
    """Return an app that refuses a proximal term, which its clients cannot apply."""

    def answer(message: Message, context: Context) -> Message:
        if any(config.get("proximal-mu") for config in message.content.config_records.values()):
            raise ValueError("this client knows no proximal term (strategy=fedprox): choose another strategy")
        return app(message, context)

    return answer


def start_runner(client: Client, slices: Slices, new_model: NewModel, training: Training) -> ClientRunner:
    """Make the runner of a client, in the process where clients run."""
    return ClientRunner(client.app(slices, new_model, training), len(slices), training.seed, RUN_ID)


def partition(context: Context) -> Slice:
    """Return the rows that a client of an experiment owns; call it from your client app.

    Parameters
    ----------
    context : Context
        The context that the app was called with.

    Returns
    -------
    Slice
        ``training.x``, float32[n, inputs], and ``training.y``, int64[n] or float32[n, outputs]; ``held_out``
        likewise. They are not to be written to.

    Raises
    ------
    AppError
        If this is not a process of an experiment with ``client=app``.

    Examples
    --------
    >>> @app.train()  # doctest: +SKIP
    ... def train(message, context):
    ...     rows = fedlocal.partition(context).training
    """
    if _Provided.slices is None:
        raise AppError(
            "fedlocal.partition: no experiment runs here; run the app with client=app client.reference=…"
        )
    return _Provided.slices.open(int(context.node_config["partition-id"]))


class _Provided:
    """The slices that `partition` opens: a process answers for one run at a time."""

    slices: SliceSource | None = None
