"""How many crops a worker may hold: few at first, more after it finished some."""


class SlowStart:
    """A window that starts at one crop and doubles with each finished batch that filled it.

    A crop that kills the process is redelivered to a worker that holds few others. So it reaches
    the dead-letter queue, and its neighbours do not. The window does not grow while it was not
    full, or while it holds a redelivered crop: that crop may have killed a worker.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.window = 1

    def grow(self, held: int, redelivered: int = 0) -> bool:
        """Double the window if ``held`` crops filled it and none was redelivered.

        Returns whether the window changed.
        """
        if held < self.window or self.window >= self.limit or redelivered:
            return False
        self.window = min(self.window * 2, self.limit)
        return True
