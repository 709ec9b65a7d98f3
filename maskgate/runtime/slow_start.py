"""How many crops a worker may hold: few until it has shown that it survives them."""


class SlowStart:
    """A window that starts at one crop and doubles with each clean batch that filled it.

    A crop that kills the process is redelivered to a worker that holds it alone, or nearly so: it reaches the
    dead-letter queue without taking its neighbours along. A window that was not full needs no growth, and one in which a crop was
    held before, maybe by a worker that it killed, gets none: until all of those are through, each has the window to itself.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.window = 1

    def grow(self, held: int, redelivered: int = 0) -> bool:
        """Double the window if ``held`` crops filled it, none of them ``redelivered``; returns whether it changed."""
        if held < self.window or self.window >= self.limit or redelivered:
            return False
        self.window = min(self.window * 2, self.limit)
        return True
