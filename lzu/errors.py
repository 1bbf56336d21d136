"""The one exception for mistakes that a user can mend."""


class UserError(Exception):
    """A mistake in a file, a setting or the environment that the user can mend.

    The message names the file or key, the problem and the mend. The command line prints it as it
    stands, with no traceback.
    """
