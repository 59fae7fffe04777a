"""The dashboard: one file per view under ``views/``, what is kept between runs in ``state.py`` and ``caches.py``."""
