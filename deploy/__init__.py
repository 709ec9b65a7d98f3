"""How maskgate is run: images and configuration, and all of it in one process (``deploy/local.py``)."""
