use serde_json::json;

use super::*;

fn read(text: &str) -> Node {
    let (node, flaws) = document(text);
    assert_eq!(flaws, [], "{text}");
    node.unwrap()
}

fn flaw(text: &str) -> String {
    let (_, flaws) = document(text);
    let told: Vec<String> = flaws
        .iter()
        .map(|flaw| format!("{}: {}", flaw.place, flaw.what))
        .collect();
    told.join("\n")
}

#[test]
fn every_value_knows_where_it_stands_and_how_it_is_reached() {
    let node = read("a: 1\nsteps:\n  - wait: {deployment/web: {ready: '3'}}\n    within: 60s\n  - x\n");
    let steps = node.get("steps").unwrap();
    let ready = steps.items()[0].get("wait").unwrap().fields()[0]
        .1
        .get("ready")
        .unwrap();
    assert_eq!(ready.place.to_string(), "3:36");
    assert_eq!(ready.path.to_string(), "steps[0].wait.deployment/web.ready");
    assert_eq!((ready.text(), ready.bare), (Some("3"), false));
    let (key, value) = steps.items()[0].entry("within").unwrap();
    assert_eq!(
        (key.place.to_string(), value.place.to_string()),
        ("4:5".into(), "4:13".into())
    );
    assert_eq!(steps.items()[1].path.to_string(), "steps[1]");
    assert_eq!(node.path.to_string(), "");
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    let node = read(
        "[1, -2, 0x1f, 017, 0o17, 1_000, 1.5, .5, 1e3, 18446744073709551615, true, ~, yes, 1.2.3, 60s, '8', !!str 8, a-, +a, 0b2]",
    );
    assert_eq!(
        node.json(),
        json!([
            1,
            -2,
            31,
            15,
            15,
            1000,
            1.5,
            0.5,
            1000.0,
            18_446_744_073_709_551_615_u64,
            true,
            null,
            "yes",
            "1.2.3",
            "60s",
            "8",
            "8",
            "a-",
            "+a",
            "0b2"
        ])
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    assert_eq!(read("\u{feff}a: 1\n").json(), json!({"a": 1}));
}

#[test]
fn a_key_that_stands_twice_is_a_mistake_with_both_places() {
    assert_eq!(
        flaw("x:\n  a: 1\n  b: 2\n  a: 3\n"),
        "4:3: x: \"a\" stands here a second time; first at 2:3"
    );
}

#[test]
fn one_document_is_all_that_fits() {
    assert_eq!(
        flaw("a: 1\n---\nb: 2\n"),
        "3:1: a second document: one is all that fits"
    );
    assert_eq!(flaw("# nothing\n"), "1:1: nothing is written here");
    assert_eq!(documents("a: 1\n---\n# none\n---\nb: 2\n").0.len(), 2);
}

#[test]
fn aliases_and_merges_are_written_out() {
    let node = read(
        "base: &base {cpu: 8, pods: 3}\nmore: &more {pods: 4, memory: 1Gi}\nuse: {<<: [*base, *more], cpu: 1}\nsame: *base\n",
    );
    assert_eq!(
        node.get("use").unwrap().json(),
        json!({"cpu": 1, "pods": 3, "memory": "1Gi"})
    );
    assert_eq!(node.get("same").unwrap().json(), json!({"cpu": 8, "pods": 3}));
    assert_eq!(
        node.get("same").unwrap().get("cpu").unwrap().path.to_string(),
        "base.cpu"
    );
    assert_eq!(flaw("a: {<<: 3}\n"), "1:9: a.<<: << takes fields, not 3");
    assert!(flaw("a: &a [*a]\n").contains("an alias of what it stands in"));
}

#[test]
fn what_a_text_may_hold_is_bounded() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h"]
        .into_iter()
        .zip("abcdefg".chars())
    {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(", "));
    }
    assert!(flaw(&bomb).contains("more than 200000 values"), "{}", flaw(&bomb));
    assert!(flaw(&"[".repeat(100)).contains("more than 64 levels deep"));
    assert!(flaw(&"- ".repeat(100)).contains("more than 64 levels deep"));
    let mut chain = "- &a0 x\n".to_owned();
    for at in 1..100 {
        chain += &format!("- &a{at} [*a{}]\n", at - 1);
    }
    assert!(flaw(&chain).contains("more than 64 levels deep"));
}

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    assert!(
        flaw("a: 1\nb: [\n").starts_with("3:1: not YAML: "),
        "{}",
        flaw("a: 1\nb: [\n")
    );
    assert!(flaw("{0").starts_with("1:3: not YAML: "), "{}", flaw("{0"));
    assert!(
        flaw("'':\ra").starts_with("2:2: not YAML: "),
        "{}",
        flaw("'':\ra")
    );
    assert!(flaw("a: *b\n").contains("not YAML"), "{}", flaw("a: *b\n"));
    assert_eq!(flaw("a: !kind x\n"), "1:10: unknown tag \"!kind\"");
    assert_eq!(flaw("? [a]\n: b\n"), "1:3: a field's name is a text");
}
