//! The harness's own tests.

mod inject_live;
mod inject_live_kubectl;
mod inject_live_node;
mod inject_live_rules;
mod inject_live_sequences;
mod inject_merge;
mod inject_reference;
