"""How maskgate is run: images and configuration, and all of it in one process (``demo/__main__.py``)."""
