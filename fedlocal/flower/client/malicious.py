"""A client some of whose actors are malicious: these train and reply as an attack says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict

from fedlocal.attacks.attacks import Arrays, Attack
from fedlocal.data import Rows, Slice
from fedlocal.flower.admission.policy import ARRAYS, Declaration
from fedlocal.flower.client.clients import Answer, Client
from fedlocal.flower.client.default_client import partition_of
from fedlocal.flower.client.local_training import SliceSource
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.seeding import seed_globals
from fedlocal.models.training_run import NewModel, Training
from fedlocal.seeds import Stream, generator


@dataclass(frozen=True)
class UnderAttack:
    """A client whose malicious actors do what an attack says when they are asked to train.

    They evaluate, and answer queries, as honest ones do.

    Parameters
    ----------
    client : Client
        The client that honest actors are.
    attack : Attack
        What malicious actors do.
    malicious : tuple of int
        The malicious actors.
    """

    client: Client
    attack: Attack
    malicious: tuple[int, ...]

    @property
    def declaration(self) -> Declaration:
        """What the client's replies to training hold."""
        return self.client.declaration

    def app(self, slices: SliceSource, new_model: NewModel, training: Training) -> Answer:
        """Return the client's app, with other rows and changed replies for malicious actors."""
        classes = new_model.outputs if new_model.classes else None
        poisoned = _PoisonedSlices(slices, self.malicious, lambda rows: self.attack.rows(rows, classes))
        honest = self.client.app(poisoned, new_model, training)

        def answer(message: Message, context: Context) -> Message:
            asked = message.metadata.message_type.partition(".")[0]
            if asked != MessageType.TRAIN or partition_of(context) not in self.malicious:
                return honest(message, context)
            return self._lie(honest, message, context, training.seed)

        return answer

    def _lie(self, honest: Answer, message: Message, context: Context, seed: int) -> Message:
        """Answer a request to train with a malicious client's arrays."""
        partition = partition_of(context)
        number = cast(int, cast(ConfigRecord, message.content["config"])["server-round"])
        if self.attack.colludes:
            reply, trained = self._conspire(honest, message, context, seed, number)
        else:
            reply = honest(message, context)
            trained = [_trained(reply)]
        sent = ndarrays(cast(ArrayRecord, message.content[ARRAYS]))
        forged = self.attack.arrays(sent, trained, generator(seed, Stream.ATTACK, partition, number))
        reply.content[ARRAYS] = array_record(dict(forged))
        return reply

    def _conspire(
        self, honest: Answer, message: Message, context: Context, seed: int, number: int
    ) -> tuple[Message, list[Arrays]]:
        """Train as each of the malicious clients; return the reply of this one, and the models of all.

        Each of them has the same models then: they start without a state and with the same global
        generators, whoever trains.
        """
        this_reply, trained = message, list[Arrays]()
        for partition in self.malicious:
            seed_globals(int(generator(seed, Stream.ATTACK, partition, number).integers(2**32)))
            reply = honest(message, _context_of(partition, context))
            trained.append({name: array.copy() for name, array in _trained(reply).items()})
            if partition == partition_of(context):
                this_reply = reply
        return this_reply, trained


@dataclass(frozen=True)
class _PoisonedSlices:
    """Slices whose training rows an attack changes for malicious actors."""

    slices: SliceSource
    malicious: tuple[int, ...]
    poison: Callable[[Rows], Rows]

    def open(self, partition_id: int, /) -> Slice:
        opened = self.slices.open(partition_id)
        if partition_id not in self.malicious:
            return opened
        return Slice(self.poison(opened.training), opened.held_out)


def _trained(reply: Message) -> Arrays:
    return ndarrays(cast(ArrayRecord, reply.content[ARRAYS]))


def _context_of(partition: int, context: Context) -> Context:
    """Return the context of another node, without a state."""
    node_config = {**context.node_config, "partition-id": partition}
    return Context(context.run_id, context.node_id, node_config, RecordDict(), context.run_config)
