use super::*;

const GOOD: &str = "\
# What this fork is known for.
- case: '*loop'
  arm: broken
  verdict: absent
  reason: nothing loops
- case: c7
  arm: broken
  verdict: reproduced
  reason: but this does
- case: c3
  arm: control
  variant: with-hpa
  verdict: reproduced
  reason: known
  when:
    kube-scheduler: '>=v1.35, <1.37'
    descheduler: '<0.37'
";

fn versions(scheduler: &str, descheduler: &str) -> Versions {
    Versions::from([
        (ComponentName::Scheduler, scheduler.to_owned()),
        (ComponentName::Descheduler, descheduler.to_owned()),
    ])
}

fn case(id: &str) -> Case {
    Library::builtin()
        .iter()
        .find(|case| case.id() == id)
        .unwrap()
        .clone()
}

fn of<'a>(read: &'a Expectations, id: &str, arm: Arm, variant: Option<&str>, with: &Versions) -> Decided<'a> {
    read.of(&case(id), arm, variant, with, Expect::of(arm))
}

fn good() -> Expectations {
    Expectations::parse("expect.yaml", GOOD, &Library::builtin()).unwrap_or_else(|e| panic!("{e}"))
}

fn mistakes(text: &str) -> Vec<String> {
    Expectations::parse("expect.yaml", text, &Library::builtin())
        .unwrap_err()
        .mistakes
}

#[test]
fn without_an_entry_the_usual_is_expected() {
    let none = Expectations::parse("expect.yaml", "# nothing yet\n", &Library::builtin()).unwrap();
    for arm in Arm::ALL {
        let decided = of(&none, "c5", arm, None, &Versions::new());
        assert_eq!(decided.expected, Expect::of(arm).into());
        assert!(decided.entry.is_none() && decided.notes.is_empty());
    }
}

#[test]
fn the_last_entry_that_fits_counts() {
    let read = good();
    let none = Versions::new();
    let c5 = of(&read, "c5", Arm::Broken, None, &none).expected;
    assert_eq!(c5.verdict, Expect::Absent);
    assert_eq!(c5.why.as_deref(), Some("nothing loops"));
    let c7 = of(&read, "c7", Arm::Broken, None, &none).expected;
    assert_eq!(c7.verdict, Expect::Reproduced);
    assert_eq!(c7.why.as_deref(), Some("but this does"));
    assert_eq!(
        of(&read, "c7", Arm::Control, None, &none).expected,
        Expect::Absent.into()
    );
    assert_eq!(
        of(&read, "c1", Arm::Broken, None, &none).expected,
        Expect::Reproduced.into()
    );
}

#[test]
fn a_condition_needs_all_its_releases() {
    let read = good();
    for (scheduler, descheduler, fits) in [
        ("v1.36.3", "v0.36.0", true),
        ("1.35", "v0.36.0-12-gabcdef", true),
        ("v1.35.0-rc.1", "v0.36.0", true),
        ("v1.36.3-dirty.1+x", "0.36.0", true),
        ("v1.34.9", "v0.36.0", false),
        ("v1.37.0-alpha.2", "v0.36.0", false),
        ("v1.36.3", "v0.37.0", false),
    ] {
        let with = versions(scheduler, descheduler);
        let decided = of(&read, "c3", Arm::Control, Some("with-hpa"), &with);
        assert_eq!(decided.entry.is_some(), fits, "{scheduler} {descheduler}");
        assert_eq!(decided.notes, Vec::<String>::new());
    }
    let with = versions("v1.36.3", "v0.36.0");
    assert!(
        of(&read, "c3", Arm::Control, Some("without-hpa"), &with)
            .entry
            .is_none()
    );
    assert!(
        of(&read, "c3", Arm::Broken, Some("with-hpa"), &with)
            .entry
            .is_none()
    );
}

#[test]
fn a_condition_that_names_a_prerelease_is_taken_at_its_word() {
    let text =
        "- {case: c5, arm: broken, verdict: absent, reason: r, when: {descheduler: '>=0.37.0-alpha.2'}}\n";
    let read = Expectations::parse("e", text, &Library::builtin()).unwrap();
    for (version, fits) in [
        ("v0.37.0-alpha.1", false),
        ("v0.37.0-alpha.3", true),
        ("v0.37.0", true),
    ] {
        let with = versions("v1.36.3", version);
        let decided = of(&read, "c5", Arm::Broken, None, &with);
        assert_eq!(decided.entry.is_some(), fits, "{version}");
    }
}

#[test]
fn a_component_of_unknown_version_meets_no_condition_and_that_is_said() {
    let with = versions("unknown", "v0.36.0");
    let read = good();
    let decided = of(&read, "c3", Arm::Control, Some("with-hpa"), &with);
    assert_eq!(decided.expected, Expect::Absent.into());
    assert_eq!(
        decided.notes,
        [
            "expect.yaml:10: does not count: it asks for kube-scheduler >=1.35, <1.37, and what runs as kube-scheduler says \"unknown\" of itself"
        ]
    );
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = "\
- case: c9
  arm: both
  verdict: inconclusive
  reason: ''
- case: c5
  arm: broken
  variant: with-hpa
  verdict: absent
  reason: r
  colour: red
- case: c3
  arm: broken
  variant: with-vpa
  verdict: absent
  reason: r
  when:
    scheduler: '>=1'
    kube-scheduler: latest
    descheduler: 0.36
- arm: broken
- text
";
    assert_eq!(
        mistakes(text),
        [
            "expect.yaml:21: not a mapping of fields",
            "expect.yaml:4: reason: expected text, found \"\"",
            "expect.yaml:1: case: no case is called \"c9\": there are c1, c2, c3, c5, c6, c7, c8, as1, ds1, ds2, ds3, h2, h2m, h22, k4, s1, s7, s9, sc2, wl1, wl2, l1 (see \"kubeclash list\")",
            "expect.yaml:2: arm: \"both\" is no arm: \"broken\" or \"control\"",
            "expect.yaml:3: verdict: \"inconclusive\" can't be expected: \"reproduced\" or \"absent\"",
            "expect.yaml:10: colour: unknown field",
            "expect.yaml:7: variant: \"c5\" has no variants",
            "expect.yaml:13: variant: \"c3\" has no variant \"with-vpa\": there are with-hpa, without-hpa",
            "expect.yaml:16: when: \"scheduler\" is no component: they are etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, descheduler, kwokctl, kind, metrics-server, burn, pause, kubeadm, kubelet, kubectl, containerd, containerd-shim-runc-v2, ctr, ptp, host-local, loopback, crictl",
            "expect.yaml:16: when: kube-scheduler: \"latest\" is no condition: unexpected character 'l' while parsing major version number; write it as in \">=1.35, <1.37\"",
            "expect.yaml:16: when: descheduler: expected text, found 0.36; write it as in \">=1.35, <1.37\"",
            "expect.yaml:20: case: missing",
            "expect.yaml:20: verdict: missing",
            "expect.yaml:20: reason: missing",
        ]
    );
    assert_eq!(
        mistakes("case: c5\n"),
        ["expect.yaml: not a list, whose items begin with \"- \""]
    );
    let when = "- {case: c5, arm: broken, verdict: absent, reason: r, when: yes}\n";
    assert_eq!(
        mistakes(when),
        ["expect.yaml:1: when: expected a release for each component, found \"yes\""]
    );
}
