"""A route log as one page that opens without a server, without a network and without routeviz."""

from routeviz.report.report import Report, make_report, write_report

__all__ = ["Report", "make_report", "write_report"]
