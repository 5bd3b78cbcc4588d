"""What can be wrong with a change of the directory, each with a sentence for the person who asked for it."""


class DirectoryError(ValueError):
    """A change or a question the directory cannot follow; nothing was changed."""


class Unknown(DirectoryError):
    """Something that is named does not exist."""


class AlreadyThere(DirectoryError):
    """Something that should be added exists already."""


class NotUsable(DirectoryError):
    """A value is not written as it must be, or two things do not belong together."""
