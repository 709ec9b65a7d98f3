"""Drawn people in front of a drawn camera: scenes with the truth about everybody in them."""
