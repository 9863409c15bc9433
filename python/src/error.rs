//! The library's errors as exceptions, which `gpu_init._errors` declares.

use gpu_init::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Which of the exceptions.
pub(crate) enum Kind {
    /// `InvalidArgument`, a `ValueError`.
    Invalid,
    /// `OutOfMemory`, a `MemoryError`.
    Memory,
    /// `DeviceError`, a `RuntimeError`.
    Device,
}

/// An exception of `gpu_init._errors`.
pub(crate) fn raise(kind: Kind, message: &str) -> PyErr {
    let class = match kind {
        Kind::Invalid => "InvalidArgument",
        Kind::Memory => "OutOfMemory",
        Kind::Device => "DeviceError",
    };
    let exception = |py: Python<'_>| -> PyResult<PyErr> {
        let class = py.import("gpu_init._errors")?.getattr(class)?;
        Ok(PyErr::from_value(class.call1((PyString::new(py, message),))?))
    };
    Python::attach(|py| exception(py).unwrap_or_else(|error| error))
}

/// The exception of an error of the library.
pub(crate) fn of(error: Error) -> PyErr {
    let kind = match error.kind() {
        ErrorKind::HostOutOfMemory { .. } | ErrorKind::OutOfMemory { .. } => Kind::Memory,
        ErrorKind::NoAdapter { .. }
        | ErrorKind::NoSuchAdapter { .. }
        | ErrorKind::UnsupportedAdapter { .. }
        | ErrorKind::WrongBits { .. }
        | ErrorKind::DeviceLost { .. }
        | ErrorKind::Gpu { .. } => Kind::Device,
        _ => Kind::Invalid,
    };
    raise(kind, &error.to_string())
}

/// The exception of a text that cannot be read.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> PyErr {
    raise(Kind::Invalid, &error.to_string())
}
