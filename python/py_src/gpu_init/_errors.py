"""What gpu_init raises: every exception is an `Error`, and one of Python's own as well."""


class Error(Exception):
    """Base of all exceptions of gpu_init."""


class InvalidArgument(Error, ValueError):
    """An argument cannot have this value: the message says why, and what to do."""


class InvalidType(Error, TypeError):
    """An argument is of another type than is needed."""


class OutOfMemory(Error, MemoryError):
    """The host or the GPU has too little memory."""


class DeviceError(Error, RuntimeError):
    """There is no GPU adapter, or it failed."""


class MissingPackage(Error, ImportError):
    """An optional package is needed and not installed."""
