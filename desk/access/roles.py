"""Who may do what: each role may do all that the one before may."""

from enum import IntEnum


class Role(IntEnum):
    """What a user is; compare with ``>=``."""

    #: Sees doors, figures and models. Never the picture of a crop.
    VIEWER = 1
    #: Also sees crops that wait for a label, and labels them.
    LABELLER = 2
    #: Also changes what runs: dead letters, models, deletions; reads the journal.
    OPERATOR = 3

    @property
    def label(self) -> str:
        """The role in files, on command lines and on pages."""
        return self.name.lower()


#: The roles by their label.
BY_LABEL = {role.label: role for role in Role}
