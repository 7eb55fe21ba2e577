//! stub, replaced on merge
#![allow(missing_docs)]
use std::path::PathBuf;
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentName { Etcd, Apiserver, ControllerManager, Scheduler, Kwok, Descheduler, Kwokctl }
impl std::fmt::Display for ComponentName { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(match self { Self::Etcd => "etcd", Self::Apiserver => "kube-apiserver", Self::ControllerManager => "kube-controller-manager", Self::Scheduler => "kube-scheduler", Self::Kwok => "kwok", Self::Descheduler => "descheduler", Self::Kwokctl => "kwokctl" }) } }
#[derive(Debug, Clone)]
pub struct Binary { pub name: ComponentName, pub version: String, pub path: PathBuf, pub sha256: String }
