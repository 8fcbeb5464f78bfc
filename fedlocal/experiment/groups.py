"""What the groups of a run's configuration describe: each is built once, before anything is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from fedlocal.attacks.attacks import Attack
from fedlocal.availability import Availability
from fedlocal.config.build import build, model_imports
from fedlocal.config.capabilities import capabilities_of
from fedlocal.config.schema import AUTO, Config, ConfigError
from fedlocal.config.validation import unneeded_groups
from fedlocal.data import PartitionStrategy, Skew
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.backends import PRELOAD
from fedlocal.flower.node.seeding import seeded
from fedlocal.seeds import Stream, generator

if TYPE_CHECKING:
    from fedlocal.flower.client.clients import Client
    from fedlocal.flower.grid.backends import Backend
    from fedlocal.models import ModelFactory
    from fedlocal.schemes import Scheme
    from fedlocal.trackers import Tracker


@dataclass(frozen=True)
class Groups:
    """What each group of a configuration describes, but for the data set, which is built when it is loaded.

    The strategy and the client are None where the scheme makes no use of them and nobody has set them. The
    trackers are still to be opened.
    """

    scheme: "Scheme"
    backend: "Backend"
    model: "ModelFactory"
    partition: PartitionStrategy
    skew: Skew
    attack: Attack
    availability: Availability
    strategy: Any
    client: "Client | None"
    trackers: "Mapping[str, Tracker]"


def build_groups(config: Config, backend: "Backend | None" = None, preload: Sequence[str] = ()) -> Groups:
    """Build what the groups describe; workers start, and import what they will need, beside all else.

    Parameters
    ----------
    config : Config
        It is checked.
    backend : Backend, optional
        In place of the configured one.
    preload : sequence of str
        Modules for the workers beside those of clients, or of the scheme, and of the model.

    Raises
    ------
    ConfigError
        If a target refuses its options, or the number of actors is to be chosen for clients elsewhere.
    """
    backend = _configured(backend or build(config, "backend"), config)
    scheme = build(config, "scheme")
    actors = PRELOAD if capabilities_of(scheme).has_clients else (getattr(scheme, "func", scheme).__module__,)
    backend.prepare((*actors, *preload, *model_imports(config)))
    unneeded = unneeded_groups(config)
    with quiet(), seeded(int(generator(config.seed, Stream.SAMPLING).integers(2**63))):
        strategy = None if "strategy" in unneeded else build(config, "strategy")  # which logs and may draw
    with quiet():
        return Groups(
            scheme=scheme,
            backend=backend,
            model=build(config, "model"),
            partition=build(config, "partition"),
            skew=build(config, "skew"),
            attack=build(config, "attack"),
            availability=build(config, "availability"),
            strategy=strategy,
            client=None if "client" in unneeded else build(config, "client"),
            trackers=build(config, "tracker"),
        )


def _configured(backend: "Backend", config: Config) -> "Backend":
    """Return the backend; one that runs clients elsewhere is given the whole configuration."""
    if backend.local:
        return backend
    if config.actors == AUTO:
        raise ConfigError("actors=auto tries local actors out; with this backend, say how many there are")
    return backend.configured(OmegaConf.to_yaml(config, resolve=True))
