//! The C interface: libwasmrt.
