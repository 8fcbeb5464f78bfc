"""What a run leaves behind: its history, its arrays, its files.

The room takes numbers and names. It knows nothing of Flower, of data sets and models, or of the
configuration.
"""

from fedlocal.results import phases as phases
from fedlocal.results.arm import Arm as Arm
from fedlocal.results.arm import arm_of as arm_of
from fedlocal.results.arm import faster as faster
from fedlocal.results.atomic_files import ResultsError as ResultsError
from fedlocal.results.atomic_files import read_json as read_json
from fedlocal.results.atomic_files import replacing as replacing
from fedlocal.results.atomic_files import write_json as write_json
from fedlocal.results.atomic_files import write_yaml as write_yaml
from fedlocal.results.background_writer import BackgroundWriter as BackgroundWriter
from fedlocal.results.best_model import BestModel as BestModel
from fedlocal.results.checkpoint_writer import CheckpointWriter as CheckpointWriter
from fedlocal.results.checkpoints import DURATION as DURATION
from fedlocal.results.checkpoints import Checkpoint as Checkpoint
from fedlocal.results.checkpoints import below as below
from fedlocal.results.checkpoints import drop_checkpoints as drop_checkpoints
from fedlocal.results.checkpoints import joined as joined
from fedlocal.results.checkpoints import newest_checkpoint as newest_checkpoint
from fedlocal.results.contention import Meter as Meter
from fedlocal.results.contention import contention_of as contention_of
from fedlocal.results.environment import environment as environment
from fedlocal.results.environment import versions as versions
from fedlocal.results.folder_lock import FolderInUseError as FolderInUseError
from fedlocal.results.folder_lock import FolderUsedError as FolderUsedError
from fedlocal.results.folder_lock import check_unused as check_unused
from fedlocal.results.folder_lock import clear_folder as clear_folder
from fedlocal.results.folder_lock import locked_folder as locked_folder
from fedlocal.results.history import TIMED as TIMED
from fedlocal.results.history import History as History
from fedlocal.results.history import Round as Round
from fedlocal.results.history import Work as Work
from fedlocal.results.model_files import SavedModel as SavedModel
from fedlocal.results.model_files import Which as Which
from fedlocal.results.model_files import load_saved as load_saved
from fedlocal.results.model_files import read_manifest as read_manifest
from fedlocal.results.model_files import save_models as save_models
from fedlocal.results.occupancy import Occupancy as Occupancy
from fedlocal.results.occupancy import usage as usage
from fedlocal.results.rounds import MOST_LISTED as MOST_LISTED
from fedlocal.results.rounds import MessageError as MessageError
from fedlocal.results.runs import SweepRow as SweepRow
from fedlocal.results.runs import arm_folder as arm_folder
from fedlocal.results.runs import collect as collect
from fedlocal.results.runs import read_run as read_run
from fedlocal.results.shared_baseline import SharedBaseline as SharedBaseline
from fedlocal.results.weights import load_arrays as load_arrays
from fedlocal.results.weights import save_arrays as save_arrays
from fedlocal.results.weights import weights_hash as weights_hash
