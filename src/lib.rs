//! Reproduces multi-controller failures of Kubernetes on a real control plane.

pub mod inject;
