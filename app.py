"""The dashboard: ``streamlit run app.py``; ``routeviz dashboard FOLDER`` starts it with folders to look into."""

from routeviz.dashboard.app import main

main()
