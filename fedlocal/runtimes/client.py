"""The client app: `app` for ``flwr run``, which ``pyproject.toml`` names, and `client_app` for Ray."""

from collections.abc import Callable
from functools import lru_cache

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedlocal.flower.client.default_client import PARTITION_QUERY, report_partition
from fedlocal.runtimes.federation import OVERRIDES, answer, as_text, composed


def client_app(text_of: Callable[[Context], str]) -> ClientApp:
    """Make a client app that puts its federation together when it is first asked for something.

    Parameters
    ----------
    text_of : callable
        Returns the run's configuration as YAML.
    """
    made = ClientApp()

    @made.train()
    def train(message: Message, context: Context) -> Message:
        return answer(text_of(context), message, context)

    @made.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        return answer(text_of(context), message, context)

    made.query(PARTITION_QUERY)(report_partition)
    return made


@lru_cache(maxsize=1)
def _text(line: str) -> str:
    return as_text(composed(line))


app = client_app(lambda context: _text(str(context.run_config[OVERRIDES])))
