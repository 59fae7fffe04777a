"""The route log: routes of many images with their facts, in memory and as Parquet on disk. No torch.

On disk a log is a folder::

    log.json                    format, schema, space, source; rows, bytes and SHA-256 of each shard; skipped images
    rows/part-00000.parquet     one row an image, in dataset order: its facts, and ``gates`` as fixed_size_list<float32>
    rows/part-00001.parquet     ...

``rows`` opens as it is in pandas, polars and DuckDB. NaN in ``gates`` is an unreached cell's path; a fact that an image
does not have is null. Equal logs have equal bytes.
"""

from routeviz.routelog.header import SCHEMA
from routeviz.routelog.labels import groups_rows, label_columns
from routeviz.routelog.log import RouteLog
from routeviz.routelog.partcosts import PartCosts
from routeviz.routelog.shards import Skipped
from routeviz.routelog.stored import load_log
from routeviz.routelog.writer import LogWriter

__all__ = ["SCHEMA", "LogWriter", "PartCosts", "RouteLog", "Skipped", "groups_rows", "label_columns", "load_log"]
