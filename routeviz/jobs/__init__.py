"""Jobs: long work as processes of their own, which outlive who started them; start, progress, stop, find again."""

from routeviz.jobs.folder import ENDED, STATES, Job, Progress, delete, find_job, list_jobs, new_folder
from routeviz.jobs.launch import MOST, start, stop

__all__ = [
    "ENDED",
    "MOST",
    "STATES",
    "Job",
    "Progress",
    "delete",
    "find_job",
    "list_jobs",
    "new_folder",
    "start",
    "stop",
]
