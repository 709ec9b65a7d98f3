"""Folder of crops, audit samples, synthetic load → queue. Run it: ``python -m producer``."""
