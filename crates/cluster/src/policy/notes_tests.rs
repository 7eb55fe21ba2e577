use super::*;
use crate::Policy;
use kubeclash_timeline::Minor;

fn v2(text: &str) -> Policy {
    let head = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n";
    Policy::parse("p".into(), &format!("{head}{text}")).unwrap()
}

fn v1(text: &str) -> Policy {
    let head = "apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy\n";
    Policy::parse("p".into(), &format!("{head}{text}")).unwrap()
}

/// What is told of a policy, whatever gets it, one a line.
fn told(policy: &Policy) -> String {
    let lines: Vec<String> = policy.notes().map(PolicyNote::to_string).collect();
    lines.join("\n")
}

/// A profile that does something, with room for more plugins: of the evictor's entry, of others, and of `plugins`.
fn profile(evictor: &str, more: &str, plugins: &str) -> String {
    format!(
        "profiles:\n  - name: a\n    pluginConfig:\n      - name: DefaultEvictor\n{evictor}      - name: RemoveDuplicates\n{more}    \
         plugins:\n      balance: {{enabled: [RemoveDuplicates]}}\n{plugins}"
    )
}

#[test]
fn a_policy_that_is_right_has_no_notes() {
    let policy = v2(&profile(
        "        args: {nodeFit: true, labelSelector: {matchLabels: {a: b}}}\n",
        "",
        "",
    ));
    assert_eq!(told(&policy), "");
    let strategies = "strategies:\n  RemoveDuplicates:\n    enabled: true\n    params: {nodeFit: true, removeDuplicates: {excludeOwnerKinds: [a]}}\n";
    assert_eq!(told(&v1(strategies)), "");
}

#[test]
fn an_argument_beside_args_is_read_by_nobody_and_told_with_its_line() {
    assert_eq!(
        told(&v2(&profile("        nodeFit: true\n", "", ""))),
        "p:7: profiles[0].pluginConfig[0].nodeFit is read by no descheduler up to v0.36: it belongs below \"args\""
    );
}

#[test]
fn every_level_has_its_fields_and_a_slip_has_the_nearest_of_them() {
    for (text, note) in [
        (
            "nodeSelektor: a=b\n",
            "nodeSelektor is read by no descheduler up to v0.36: did you mean \"nodeSelector\"?",
        ),
        (
            "nodeFit: true\n",
            "nodeFit is read by no descheduler up to v0.36: it is an argument of DefaultEvictor",
        ),
        (
            "strategies: {}\n",
            "strategies is read by no descheduler up to v0.36: it is a field of descheduler/v1alpha1",
        ),
        (
            "pluginConfig: []\n",
            "pluginConfig is read by no descheduler up to v0.36: it belongs below \"profiles\"",
        ),
        ("tracing: {}\n", "tracing is read by no descheduler up to v0.36"),
        (
            "metricsProviders: [{source: Prometheus, prometheus: {uri: x}}]\n",
            "metricsProviders[0].prometheus.uri is read by no descheduler up to v0.36: did you mean \"url\"?",
        ),
    ] {
        let policy = v2(&format!("{}{text}", profile("", "", "")));
        assert_eq!(told(&policy), format!("p:10: {note}"), "{text}");
    }
    for (plugins, note) in [
        (
            "      preEvictionFilter: {enabled: [x]}\n",
            "plugins.preEvictionFilter is read by no descheduler up to v0.36: did you mean \"preevictionfilter\"?",
        ),
        (
            "      deschedule: {enable: [x]}\n",
            "plugins.deschedule.enable is read by no descheduler up to v0.36: did you mean \"enabled\"?",
        ),
        (
            "    deschedule: {enabled: [x]}\n",
            "deschedule is read by no descheduler up to v0.36: it belongs below \"plugins\"",
        ),
        (
            "    pluginConfigs: []\n",
            "pluginConfigs is read by no descheduler up to v0.36: did you mean \"pluginConfig\"?",
        ),
    ] {
        assert_eq!(
            told(&v2(&profile("", "", plugins))),
            format!("p:10: profiles[0].{note}"),
            "{plugins}"
        );
    }
}

#[test]
fn arguments_are_those_of_their_plugin_and_a_forks_own_are_left_alone() {
    let args = |plugin: &str, point: &str, args: &str| {
        let more = format!("      - {{name: {plugin}, args: {args}}}\n");
        told(&v2(&profile(
            "",
            &more,
            &format!("      {point}: {{enabled: [{plugin}]}}\n"),
        )))
    };
    let low = |text: &str| args("RemovePodsViolatingNodeAffinity", "deschedule", text);
    for (text, note) in [
        (
            "{nodeaffinitytype: [a]}",
            "nodeaffinitytype is no argument of RemovePodsViolatingNodeAffinity up to v0.36: did you mean \"nodeAffinityType\"?",
        ),
        (
            "{nodeFit: true}",
            "nodeFit is no argument of RemovePodsViolatingNodeAffinity up to v0.36: it is an argument of DefaultEvictor",
        ),
        (
            "{namespaces: {exclud: [a]}}",
            "namespaces.exclud is no argument of RemovePodsViolatingNodeAffinity up to v0.36: did you mean \"exclude\"?",
        ),
        (
            "{exclude: [a]}",
            "exclude is no argument of RemovePodsViolatingNodeAffinity up to v0.36: it belongs below \"namespaces\"",
        ),
        (
            "{matchLabels: {a: b}}",
            "matchLabels is no argument of RemovePodsViolatingNodeAffinity up to v0.36: it belongs below \"labelSelector\"",
        ),
        (
            "{labelSelector: {matchExpressions: [{key: a, operators: In}]}}",
            "labelSelector.matchExpressions[0].operators is no argument of RemovePodsViolatingNodeAffinity up to v0.36: did you mean \"operator\"?",
        ),
    ] {
        assert_eq!(
            low(text),
            format!("p:8: profiles[0].pluginConfig[2].args.{note}"),
            "{text}"
        );
    }
    assert_eq!(
        low("{kind: RemovePodsViolatingNodeAffinityArgs, namespaces: {include: [a]}}"),
        ""
    );
    assert_eq!(args("LikeNobodys", "deschedule", "{anything: {goes: 1}}"), "");
    let evictable = args(
        "HighNodeUtilization",
        "presort",
        "{thresholds: {cpu: 1, example.com/gpu: 2}, namespaces: {}}",
    );
    assert!(evictable.contains("namespaces is no argument of HighNodeUtilization up to v0.36: did you mean \"evictableNamespaces\"?"), "{evictable}");
}

#[test]
fn a_v1alpha1_policy_is_looked_through_as_well() {
    let text = "strategies:\n  RemoveDuplicates:\n    enabled: true\n    nodeFit: true\n    params:\n      nodefit: true\n      thresholds: {cpu: 1}\n  \
                LikeNobodys: {enabled: true, params: {podLifeTime: {maxPodLifeTimeSecond: 3}}}\nprofiles: []\nevictLocalStoragePod: true\n";
    assert_eq!(
        told(&v1(text)),
        "p:6: strategies.RemoveDuplicates.nodeFit is read by no descheduler up to v0.30: it belongs below \"params\"\n\
         p:8: strategies.RemoveDuplicates.params.nodefit is read by no descheduler up to v0.30: did you mean \"nodeFit\"?\n\
         p:9: strategies.RemoveDuplicates.params.thresholds is read by no descheduler up to v0.30: it belongs below \"nodeResourceUtilizationThresholds\"\n\
         p:10: strategies.LikeNobodys.params.podLifeTime.maxPodLifeTimeSecond is read by no descheduler up to v0.30: did you mean \"maxPodLifeTimeSeconds\"?\n\
         p:11: profiles is read by no descheduler up to v0.30: it is a field of descheduler/v1alpha2\n\
         p:12: evictLocalStoragePod is read by no descheduler up to v0.30: did you mean \"evictLocalStoragePods\"?"
    );
}

#[test]
fn what_only_other_releases_read_is_told_of_the_release_that_runs() {
    let args = "        args: {minReplicas: 2, podProtections: {extraEnabled: [a]}}\n";
    let policy = v2(&format!("{}maxNoOfPodsToEvictTotal: 3\n", profile(args, "", "")));
    assert_eq!(told(&policy), "");
    let of = |minor| {
        let notes = policy.notes_for(Minor::new(0, minor));
        notes.map(PolicyNote::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(of(36), "");
    assert_eq!(
        of(31),
        "p:7: profiles[0].pluginConfig[0].args.podProtections is for deschedulers from v0.34 on: this one does not know it"
    );
    assert_eq!(of(29).lines().count(), 3, "{}", of(29));
    let spread =
        "      - {name: RemovePodsViolatingTopologySpreadConstraint, args: {includeSoftConstraints: true}}\n";
    let plugins = "      deschedule: {enabled: []}\n";
    let policy = v2(&profile("", spread, plugins).replace(
        "[RemoveDuplicates]",
        "[RemoveDuplicates, RemovePodsViolatingTopologySpreadConstraint]",
    ));
    let found: Vec<String> = policy
        .notes_for(Minor::new(0, 28))
        .map(PolicyNote::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "p:8: profiles[0].pluginConfig[2].args.includeSoftConstraints is for deschedulers up to v0.27: this one does not know it"
        ]
    );
    assert_eq!(policy.notes_for(Minor::new(0, 27)).count(), 0);
}

#[test]
fn a_plugin_at_a_point_that_it_does_not_have_takes_its_profile_with_it() {
    let more = "      - name: PodLifeTime\n        args: {maxPodLifeTimeSeconds: 1}\n";
    let wrong = v2(&profile(
        "",
        more,
        "      filter: {enabled: [PodLifeTime, DefaultEvictor]}\n",
    ));
    assert_eq!(
        told(&wrong),
        "p:3: nothing is ever evicted: no profile that deschedulers up to v0.36 run enables a plugin at \"deschedule\" or \"balance\"\n\
         p:12: profiles[0].plugins.filter.enabled[0] enables PodLifeTime where it does not run: up to v0.36 it runs at \
         \"deschedule\"; deschedulers up to v0.34 leave the whole profile out, later ones end"
    );
    let unused = v2(&profile(
        "",
        more,
        "      sort: {enabled: [PodLifeTime, LikeNobodys]}\n",
    ));
    assert_eq!(
        told(&unused),
        "p:12: profiles[0].plugins.sort.enabled[0] enables PodLifeTime where it does not run: up to v0.36 it runs at \"deschedule\"",
        "the rest of the profile is run"
    );
}

#[test]
fn a_plugin_is_both_configured_and_enabled_or_it_does_nothing() {
    let configured = v2(&profile(
        "",
        "      - name: PodLifeTime\n      - name: LikeNobodys\n",
        "",
    ));
    assert_eq!(
        told(&configured),
        "p:8: profiles[0].pluginConfig[2] configures PodLifeTime, which is not enabled: it has to stand under plugins.deschedule.enabled"
    );
    let enabled = v2(&profile(
        "",
        "",
        "      deschedule:\n        enabled: [LikeNobodys, PodLifeTime]\n",
    ));
    let both = told(&enabled);
    assert!(both.starts_with("p:3: nothing is ever evicted"), "{both}");
    assert!(
        both.ends_with("p:11: profiles[0].plugins.deschedule.enabled[1] enables PodLifeTime, which has no entry in \"pluginConfig\"; deschedulers up to v0.34 leave the whole profile out, later ones end"),
        "{both}"
    );
    let disabled = v2(&profile("", "", "      filter: {disabled: [DefaultEvictor]}\n"));
    assert_eq!(
        told(&disabled),
        "p:10: profiles[0].plugins.filter.disabled disables nothing up to v0.36: what stands under \"enabled\" is all that runs"
    );
}

#[test]
fn a_policy_that_never_evicts_is_told() {
    let nothing = "nothing is ever evicted: no profile that deschedulers up to v0.36 run enables a plugin at \"deschedule\" or \"balance\"";
    for text in [
        "profiles: []\n",
        "profiles:\n",
        "profiles: [{name: a, plugins: {filter: {enabled: [DefaultEvictor]}}}]\n",
    ] {
        assert_eq!(told(&v2(text)), format!("p:3: {nothing}"), "{text}");
    }
    assert_eq!(told(&v2("")), format!("p:1: {nothing}"));
    // One that is run is enough, and a fork's own plugin is one.
    let other =
        "profiles: [{name: a}, {name: b, pluginConfig: [], plugins: {balance: {enabled: [LikeNobodys]}}}]\n";
    assert_eq!(told(&v2(other)), "");
    let off = "strategies: {RemoveDuplicates: {enabled: false}, PodLifeTime: {}}\n";
    assert_eq!(
        told(&v1(off)),
        "p:3: nothing is ever evicted: no strategy is enabled"
    );
}

#[test]
fn a_limit_of_nothing_forbids_all_evictions() {
    let forbids = |text: &str| {
        v2(&format!("{}{text}", profile("", "", "")))
            .forbids_evictions()
            .map(PolicyNote::to_string)
    };
    for limit in [
        "maxNoOfPodsToEvictPerNode",
        "maxNoOfPodsToEvictPerNamespace",
        "maxNoOfPodsToEvictTotal",
    ] {
        assert_eq!(
            forbids(&format!("{limit}: 0\n")),
            Some(format!(
                "p:10: {limit}: 0 evicts nothing on purpose, and who evicts nothing cures nothing"
            ))
        );
        assert_eq!(forbids(&format!("{limit}: 1\n")), None);
    }
}

#[test]
fn what_helm_would_fill_in_is_told() {
    let text = "deschedulerPolicy:\n  nodeSelector: \"pool={{ .Values.pool }}\"\n  profiles: [{name: a, pluginConfig: [{name: RemoveDuplicates}], plugins: {balance: {enabled: [RemoveDuplicates]}}}]\n";
    let policy = Policy::parse("p".into(), text).unwrap();
    assert_eq!(
        told(&policy),
        "p:1: the policy is the one below deschedulerPolicy, as descheduler/v1alpha2\n\
         p:2: nodeSelector has a \"{{\", which Helm would fill in and which stays as it is here"
    );
}
