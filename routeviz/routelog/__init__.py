"""The route log: routes of many images with their facts, in memory and as Parquet on disk. No torch."""

from routeviz.routelog.header import SCHEMA
from routeviz.routelog.log import RouteLog
from routeviz.routelog.shards import Skipped
from routeviz.routelog.stored import load_log
from routeviz.routelog.writer import LogWriter

__all__ = ["SCHEMA", "LogWriter", "RouteLog", "Skipped", "load_log"]
