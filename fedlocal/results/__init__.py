"""What a run leaves behind: its history, its arrays, its files.

The room takes numbers and names. It knows nothing of Flower, of data sets and models, or of the
configuration.
"""

from fedlocal.results import phases
from fedlocal.results.arm import Arm, arm_of, faster
from fedlocal.results.atomic_files import ResultsError, read_json, replacing, write_json, write_yaml
from fedlocal.results.background_writer import BackgroundWriter
from fedlocal.results.best_model import BestModel
from fedlocal.results.checkpoint_writer import CheckpointWriter
from fedlocal.results.checkpoints import (
    DURATION,
    Checkpoint,
    below,
    drop_checkpoints,
    joined,
    newest_checkpoint,
)
from fedlocal.results.contention import Meter, contention_of
from fedlocal.results.environment import environment, versions
from fedlocal.results.folder_lock import (
    FolderInUseError,
    FolderUsedError,
    check_unused,
    clear_folder,
    locked_folder,
)
from fedlocal.results.history import TIMED, History, Round, Work
from fedlocal.results.model_files import SavedModel, Which, load_saved, read_manifest, save_models
from fedlocal.results.occupancy import Occupancy, usage
from fedlocal.results.rounds import MOST_LISTED, MessageError
from fedlocal.results.runs import SweepRow, arm_folder, collect, read_run
from fedlocal.results.shared_baseline import SharedBaseline
from fedlocal.results.weights import load_arrays, save_arrays, weights_hash

__all__ = [
    "DURATION",
    "MOST_LISTED",
    "TIMED",
    "Arm",
    "BackgroundWriter",
    "BestModel",
    "Checkpoint",
    "CheckpointWriter",
    "FolderInUseError",
    "FolderUsedError",
    "History",
    "MessageError",
    "Meter",
    "Occupancy",
    "ResultsError",
    "Round",
    "SavedModel",
    "SharedBaseline",
    "SweepRow",
    "Which",
    "Work",
    "arm_folder",
    "arm_of",
    "below",
    "check_unused",
    "clear_folder",
    "collect",
    "contention_of",
    "drop_checkpoints",
    "environment",
    "faster",
    "joined",
    "load_arrays",
    "load_saved",
    "locked_folder",
    "newest_checkpoint",
    "phases",
    "read_json",
    "read_manifest",
    "read_run",
    "replacing",
    "save_arrays",
    "save_models",
    "usage",
    "versions",
    "weights_hash",
    "write_json",
    "write_yaml",
]
