"""The script that streamlit runs; the ``app.py`` of a checkout does the same."""

from routeviz.dashboard.app import main

main()
