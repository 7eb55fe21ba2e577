use super::*;

fn refused(run: Result<Run, RunError>) -> String {
    run.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_run_is_of_the_broken_arm_of_the_first_variant_until_something_else_is_said() {
    let run = Run::case("c3").unwrap();
    let first = run.case.variants()[0].clone().unwrap();
    assert_eq!(
        run.id().to_string(),
        format!("c3_two_spread_keys broken ({first})")
    );
    let run = run.arm(Arm::Control).variant("without-hpa").unwrap();
    assert_eq!(run.id().to_string(), "c3_two_spread_keys control (without-hpa)");
    assert_eq!(Run::case("taint_recreate_loop").unwrap().id().case_id(), "c7");
}

#[test]
fn what_names_no_case_or_several_is_refused_before_anything_is_started() {
    assert!(refused(Run::case("c99")).starts_with("no case is called \"c99\""));
    assert!(refused(Run::case("c*")).starts_with("\"c*\" calls several cases: c1, c2"));
    assert!(refused(Run::case("/no/such/folder")).starts_with("no case is called"));
    let variant = refused(Run::case("c3").unwrap().variant("none"));
    assert!(
        variant.starts_with("c3_two_spread_keys has no variant \"none\": there are "),
        "{variant}"
    );
    let variant = refused(Run::case("c7").unwrap().variant("none"));
    assert_eq!(
        variant,
        "c7_taint_recreate_loop has no variant \"none\": it has none"
    );
}

#[test]
fn a_mistaken_setting_is_refused_with_its_name() {
    let run = || Run::case("c5").unwrap();
    let spec = refused(run().descheduler("v0.36"));
    assert!(spec.starts_with("descheduler: \"v0.36\": "), "{spec}");
    assert!(refused(run().scheduler_config("/no/such/file")).contains("can't be read"));
    assert!(refused(run().kubernetes("image:x/y:z")).starts_with("kubernetes: "));
    assert!(refused(run().scheduler_name("default-scheduler")).contains("default scheduler's"));
}

#[test]
fn setters_come_to_the_settings_of_a_session() {
    let run = Run::case("c5").unwrap();
    let run = run
        .scheduler("path:./mine")
        .unwrap()
        .scheduler_arg("--v=5 --v=6")
        .unwrap();
    let run = run.pace(Pace::Recorded).out("evidence").audit(false).keep(true);
    let settings = run.settings.build();
    assert_eq!(
        settings.selection.spec(ComponentName::Scheduler).to_string(),
        "path:./mine"
    );
    assert_eq!(settings.tuning.scheduler_args, ["--v=5", "--v=6"]);
    assert_eq!(
        (settings.pace, settings.keep, settings.tuning.audit),
        (Pace::Recorded, true, false)
    );
    assert!(settings.out.is_absolute() && settings.out.ends_with("evidence"));
}

#[tokio::test]
async fn what_a_provider_can_not_run_is_no_outcome_and_starts_nothing() {
    let run = Run::case("l1").unwrap().provider(Provider::Kind);
    let error = run.await.unwrap_err();
    assert!(matches!(&error, RunError::NotRun(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "not run: l1_apiserver_liveness_loop runs on the local provider only, not on kind"
    );
}

#[test]
fn a_program_takes_the_place_of_a_controller_of_the_case_once() {
    let case = || Run::case("docs/cases/operator").unwrap();
    let run = case().with("sample-controller", "path:./mine").unwrap();
    let settings = run.settings.clone().build();
    assert_eq!(settings.substitutes.to_string(), "sample-controller=path:./mine");
    assert_eq!(
        refused(run.with("sample-controller", "src:.")),
        "with: \"sample-controller\" is given twice"
    );
    assert_eq!(
        refused(case().with("sample-controler", "src:.")),
        "with: \"sample-controler\" is no controller of the cases that are run (did you mean \"sample-controller\"?): they bring \
         sample-controller"
    );
    assert!(refused(case().with("sample-controller", "v1.2.3")).contains("of what nobody knows"));
    assert!(refused(Run::case("c7").unwrap().with("keeper", "src:.")).ends_with("they bring none"));
}
