//! The kind provider.
