use super::*;
use kubeclash_host::yaml;

fn of(text: &str) -> Result<ClusterSpec, Vec<String>> {
    let file: ClusterFile = yaml::read(text).unwrap();
    let config = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{schedulerName: packing}]\n";
    let configs = [("packing.yaml".to_owned(), config.to_owned())].into();
    ClusterSpec::of(&file, &configs).map_err(|error| error.0)
}

#[test]
fn without_nodes_there_are_three_of_8_cpu_and_32_gi() {
    let spec = of("{}").unwrap();
    let names: Vec<_> = spec.nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["kind-worker", "kind-worker2", "kind-worker3"]);
    assert!(
        spec.nodes
            .iter()
            .all(|node| node.cpu_m == 8000 && node.memory() == "32Gi" && node.pods() == 110)
    );
    assert_eq!(
        spec.shape(),
        Shape {
            workers: 3,
            worker_cpu: 8
        }
    );
}

#[test]
fn groups_of_nodes_are_counted_through() {
    let spec = of("nodes: [{count: 2, cpu: 500m, labels: {lifecycle: spot, zone: 1}}, {memory: 4Gi, pods: 5, taints: ['gpu=yes:NoSchedule'], dies-above: 98}]").unwrap();
    let [first, second, third] = &spec.nodes[..] else {
        panic!("{spec:?}")
    };
    assert_eq!(
        (&*first.name, &*second.name, &*third.name),
        ("kind-worker", "kind-worker2", "kind-worker3")
    );
    assert_eq!(
        (
            first.cpu_m,
            first.labels["lifecycle"].as_str(),
            first.labels["zone"].as_str()
        ),
        (500, "spot", "1")
    );
    assert_eq!(
        (third.cpu_m, third.memory(), third.pods(), third.dies_above),
        (8000, "4Gi", 5, Some(98))
    );
    assert_eq!(third.taints[0].key, "gpu");
    assert_eq!(
        spec.shape(),
        Shape {
            workers: 3,
            worker_cpu: 0
        }
    );
}

#[test]
fn all_mistakes_are_told_together_by_field() {
    let mistakes = of(
        "nodes: [{cpu: many, memory: 0, taints: [x]}, {count: 0, dies-above: 0}]
second-scheduler: {name: other, config: packing.yaml, args: [--kubeconfig=/etc/x]}
scheduler: {config: none.yaml, controllers: [a]}
controller-manager: {args: ['--controllers=*'], config: x}
apiserver: {args: [--bind-address=0.0.0.0, --runtime-config=a/v1=true]}",
    )
    .unwrap_err();
    let fields: Vec<_> = mistakes.iter().map(|m| m.split(": ").next().unwrap()).collect();
    assert_eq!(
        fields,
        [
            "cluster.nodes[0].cpu",
            "cluster.nodes[0].memory",
            "cluster.nodes[0].taints",
            "cluster.nodes[1].count",
            "cluster.nodes[1].dies-above",
            "cluster.scheduler.config",
            "cluster.second-scheduler.args",
            "cluster.controller-manager.args",
            "cluster.apiserver.args",
            "cluster.controller-manager.config",
            "cluster.scheduler.controllers",
            "cluster.second-scheduler.config",
        ],
        "{mistakes:#?}"
    );
}

#[test]
fn what_the_user_s_flags_take_the_place_of_is_told() {
    let spec =
        of("second-scheduler: {name: packing, config: packing.yaml}\nscheduler: {args: [--v=2]}").unwrap();
    let named = Tuning {
        scheduler_name: Some("mine".to_owned()),
        ..Tuning::default()
    };
    assert_eq!(
        spec.overruled_by(&named),
        ["--scheduler-name mine takes the place of the case's second scheduler \"packing\""]
    );
    let args = Tuning {
        scheduler_args: vec!["--v=5".to_owned(), "--kube-api-qps=1".to_owned()],
        ..Tuning::default()
    };
    assert_eq!(
        spec.overruled_by(&args),
        ["--scheduler-arg --v=5 takes the place of the case's --v=2"]
    );
    assert!(spec.overruled_by(&Tuning::default()).is_empty());
}
