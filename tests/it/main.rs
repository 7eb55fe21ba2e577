//! The harness's own tests: one program, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy spares test functions only, not their helpers"
)]

mod attribution;
mod bisect_live;
mod bisect_steps;
mod browser;
mod case_controllers;
mod classify;
mod classify_field;
mod classify_robust;
mod classify_rules;
mod cli_ambient;
mod cases_of_docs;
mod cli_bad_input;
mod cli_case;
mod cli_compare;
mod cli_end;
mod cli_expect;
mod cli_sandbox;
mod component_build;
mod component_cache;
mod component_cli;
mod component_download;
mod component_extract;
mod component_fork;
mod component_given;
mod component_image;
mod component_registry;
mod component_site;
mod conformance;
mod conformance_isolation;
mod conformance_controllers;
mod conformance_steps;
mod docker_images;
mod docker_run;
mod etcd_size;
mod fork_misbehaves;
mod fork_tuning;
mod front_door;
mod inject_live;
mod inject_live_kubectl;
mod inject_live_node;
mod inject_live_rules;
mod inject_live_sequences;
mod inject_merge;
mod inject_reference;
mod kind_ci;
mod kind_live;
mod kind_live_arms;
mod kind_live_sandbox;
mod kind_live_submit;
mod kind_preflight;
mod kind_sweep;
mod ledger;
mod recorder_live;
mod recordings;
mod load_live;
mod load_measure;
mod load_report;
mod load_sample;
mod node_image;
mod quick_start;
mod release_checkout;
mod release_publish;
mod release_scripts;
mod release_workflow;
mod released_program;
mod report_browser;
mod report_cli;
mod report_evidence;
mod submit;
mod workflow_runner;
mod workflows;
