"""Recording any PyTorch network whose gates decide what runs: its routes into a route log, and what its parts cost."""

from routeviz.recording.forcing import close_paths, force_paths
from routeviz.recording.gates import Gate
from routeviz.recording.measure import measure_macs
from routeviz.recording.record import Recording, record

__all__ = ["Gate", "Recording", "close_paths", "force_paths", "measure_macs", "record"]
