"""The code that runs inside Redis: one library of functions, loaded when a site is deployed."""

from maskgate.redis_functions.library import Library, library

__all__ = ["Library", "library"]
