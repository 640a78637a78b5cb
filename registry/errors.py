"""Errors of the registry; each class carries the wire code a client sees.

RegistryError                    2
├── MalformedError               4    octets that break their own format
├── BusyError                    3    the write queue is full
├── ReadOnlyError                7    this registry takes no writes now
├── NotFoundError              100
├── AlreadyExistsError         101
├── InvalidIdentifierError     102
├── ValuesNotFoundError        200
├── ValueExistsError           201
├── InvalidValueError          202
├── NotHomedError              301
├── AdminError                 400    authenticated, but not an administrator
├── PermissionsError           401
├── ChallengeNeededError       402    say who you are first
├── AuthenticationError        403
├── CredentialError            404    the credential itself is unusable
├── GroupError                 406    an administrator group cannot be read
│   └── GroupElsewhereError    406    it lives at another node: fetch it, try again
├── SerialError                101    compare-and-swap met another serial
├── UnconfirmedError             2    written, but who must confirm it did not
├── CorruptError                 2    stored octets fail their checksum
└── StoreError                   2    the disk or the engine failed
    ├── DiskFullError            2    nothing was written; it may work again later
    ├── MapFullError             2    the engine must grow first; never seen outside
    └── VersionError             2    the data directory is from a newer version
"""


class RegistryError(Exception):
    """The registry could not do it."""

    code: int = 2


class MalformedError(RegistryError, ValueError):
    """Octets do not follow their format: what was expected, what came, where."""

    code = 4


class BusyError(RegistryError):
    """The write queue is full; try again."""

    code = 3


class ReadOnlyError(RegistryError):
    """This registry takes no writes now."""

    code = 7


class NotFoundError(RegistryError):
    """The identifier is not registered."""

    code = 100


class AlreadyExistsError(RegistryError):
    """The identifier is registered already."""

    code = 101


class InvalidIdentifierError(RegistryError, ValueError):
    """The name is not an identifier, or not of the kind the operation needs."""

    code = 102


class ValuesNotFoundError(RegistryError):
    """The record has no such value."""

    code = 200


class ValueExistsError(RegistryError):
    """The record has a value with this index already."""

    code = 201


class InvalidValueError(RegistryError, ValueError):
    """A value breaks a rule."""

    code = 202


class NotHomedError(RegistryError):
    """The prefix does not live at this node."""

    code = 301


class AdminError(RegistryError):
    """Who asks is known, but administers nothing here."""

    code = 400


class PermissionsError(RegistryError):
    """Who asks lacks the permission."""

    code = 401


class ChallengeNeededError(RegistryError):
    """The operation needs an authenticated client."""

    code = 402


class AuthenticationError(RegistryError):
    """The proof of identity is wrong."""

    code = 403


class CredentialError(RegistryError):
    """The key or secret that should prove the identity cannot be used."""

    code = 404


class GroupError(RegistryError):
    """An administrator group or key record cannot be read."""

    code = 406


class GroupElsewhereError(GroupError):
    """A group of another node is needed to decide."""

    def __init__(self, name: bytes, index: int) -> None:
        super().__init__(
            f"administrator group {index}:{name.decode(errors='replace')} lives at "
            "another node and cannot be read"
        )
        self.name = name
        self.index = index


class SerialError(RegistryError):
    """The record changed since it was read."""

    code = 101


class UnconfirmedError(RegistryError):
    """The change is written, but not confirmed as it must be: look before you retry."""


class CorruptError(RegistryError):
    """Stored octets fail their checksum and are not served."""


class HiddenRecordError(CorruptError):
    """A group took a record for absent that is in the log as registered."""


class StoreError(RegistryError):
    """The storage engine or the disk failed."""


class DiskFullError(StoreError):
    """The disk has no room; writing may work again once it has."""


class MapFullError(StoreError):
    """The engine must grow before it takes this batch."""


class VersionError(StoreError):
    """The data directory was written by a newer version."""
