"""tensorboardX's private names: the records of an event file, and what writes them.

Its public ``SummaryWriter`` has a thread of its own, which a full disk ends, and for which the run would then
wait for ever. Without these names nothing could be written for TensorBoard but through it.
"""

from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import text

__all__ = [
    "Event",
    "HParamsPluginData",
    "RecordWriter",
    "SessionEndInfo",
    "SessionLog",
    "SessionStartInfo",
    "Status",
    "Summary",
    "SummaryMetadata",
    "text",
]
