"""What a run leaves behind: its history, its arrays, its tables and figures.

The room takes numbers and names. It knows nothing of Flower, of data sets and models, or of the
configuration.
"""

from fedlocal.results.checkpoints import Checkpoint, drop_checkpoints, joined, newest_checkpoint
from fedlocal.results.environment import environment
from fedlocal.results.figures import (
    comparison,
    label_distribution,
    learning_curves,
    target_distribution,
    timeline,
)
from fedlocal.results.files import ResultsError, replacing, write_json
from fedlocal.results.history import TIMED, History, Round, Work
from fedlocal.results.keeping import CheckpointWriter
from fedlocal.results.occupancy import Occupancy, usage
from fedlocal.results.owning import FolderInUseError, clear, owning
from fedlocal.results.progress import announce, progress
from fedlocal.results.rounds import MOST_LISTED
from fedlocal.results.runs import SweepRow, arm_folder, collect, read_run
from fedlocal.results.sweep import sweep_table, write_sweep
from fedlocal.results.table import Arm, comparison_table
from fedlocal.results.weights import load_arrays, save_arrays, weights_hash

__all__ = [
    "MOST_LISTED",
    "TIMED",
    "Arm",
    "Checkpoint",
    "CheckpointWriter",
    "FolderInUseError",
    "History",
    "Occupancy",
    "ResultsError",
    "Round",
    "SweepRow",
    "Work",
    "announce",
    "arm_folder",
    "clear",
    "collect",
    "comparison",
    "comparison_table",
    "drop_checkpoints",
    "environment",
    "joined",
    "label_distribution",
    "learning_curves",
    "load_arrays",
    "newest_checkpoint",
    "owning",
    "progress",
    "read_run",
    "replacing",
    "save_arrays",
    "sweep_table",
    "target_distribution",
    "timeline",
    "usage",
    "weights_hash",
    "write_json",
    "write_sweep",
]
