use std::collections::BTreeMap;

use super::*;
use crate::case::{Files, template};

/// The files of the case that `case new` writes.
fn files(id: &str) -> BTreeMap<String, String> {
    let files = template::files(id).into_iter();
    files.map(|(name, text)| (name.to_owned(), text)).collect()
}

fn case(folder: &str, files: BTreeMap<String, String>) -> Case {
    Case::of(folder, Files::of(files)).unwrap_or_else(|error| panic!("{error}"))
}

fn digests(case: &Case) -> Vec<&str> {
    let scenarios = case.scenarios().iter();
    scenarios.map(|scenario| &*scenario.inputs_sha256).collect()
}

#[test]
fn a_case_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut of_x2 = files("x2");
    of_x2.insert("notes.yaml".to_owned(), "secret: mine".to_owned());
    let cases = [case("x1_dip", files("x1")), case("x2", of_x2)];
    let packed = PackedCases::of(&cases).unwrap().unwrap();
    assert!(packed.as_str().len() < 8 << 10, "{}", packed.as_str().len());
    let to = dir.path().join("cases");
    unpack(packed.as_str(), &to).unwrap();
    for case in &cases {
        let copy = Case::read(&to.join(case.folder())).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(digests(&copy), digests(case));
        assert_eq!(copy.files(), case.files());
    }
    assert!(!to.join("x2/notes.yaml").exists(), "it is no file of the case");
    assert_eq!(PackedCases::of(&cases).unwrap().unwrap(), packed);
    assert_eq!(PackedCases::of(&[]).unwrap(), None);
    unpack(packed.as_str(), &to).unwrap_err();
}

#[test]
fn what_is_too_large_for_a_job_is_told() {
    // Digits that gzip can't make much smaller.
    let noise = |bytes: usize| {
        let mut digest = kubeclash_components::Sha256::default();
        let mut noise = String::new();
        while noise.len() < bytes {
            digest.update(b"x");
            noise += &format!("# {}\n", digest.clone().finish());
        }
        noise
    };
    let with = |more: &str| {
        let mut files = files("x1");
        files.get_mut("10-web.yaml").unwrap().push_str(more);
        PackedCases::of(&[case("x1_dip", files)])
    };
    assert!(with(&noise(100 << 10)).is_ok());
    let told = with(&noise(300 << 10)).unwrap_err().to_string();
    assert!(
        told.starts_with("the files of x1_dip are ")
            && told.ends_with("KiB packed, and a Job carries 92 KiB of them at most"),
        "{told}"
    );
    let told = with(&"# small when it is packed\n".repeat(700_000))
        .unwrap_err()
        .to_string();
    assert!(told.contains("KiB in all"), "{told}");
}

#[test]
fn a_program_of_this_machine_is_told() {
    let with = |run: &str| {
        let mut files = files("x1");
        let text = files.get_mut("case.yaml").unwrap();
        *text = text.replace(
            "\nsteps:\n",
            &format!("\ncontrollers: [{{name: keeper, run: '{run}'}}]\nsteps:\n  - start: keeper\n"),
        );
        PackedCases::of(&[case("x1_dip", files)])
    };
    for spec in ["src:./keeper", "path:/bin/keeper", "image:me/keeper:1"] {
        let told = with(spec).unwrap_err().to_string();
        assert_eq!(
            told,
            format!("x1_dip brings the program \"keeper\" ({spec}), which is not there in a pod")
        );
    }
    assert!(with("image+extract:me/keeper:1").is_ok());
}

/// The entries of an archive: path, kind and content.
type Entries<'a> = &'a [(&'a str, EntryType, &'a [u8])];

fn bad(entries: Entries<'_>) -> String {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        // As a bad one would write it: the library's own setter refuses it.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        kubeclash_components::archive::set(&mut header, *kind, 0o644, content.len() as u64);
        if *kind == EntryType::Symlink {
            header.set_link_name("/etc").unwrap();
        }
        header.set_cksum();
        archive.append(&header, *content).unwrap();
    }
    STANDARD.encode(archive.into_inner().unwrap().finish().unwrap())
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = EntryType::Regular;
    let large = vec![b'#'; MOST as usize + 1];
    let refused: [(Entries<'_>, &str); 11] = [
        (&[("../evil", file, b"x")], "is no file of a case's folder"),
        (&[("x1/../../evil", file, b"x")], "is no file of a case's folder"),
        (&[("/x1/evil", file, b"x")], "is no file of a case's folder"),
        (&[("evil", file, b"x")], "is no file of a case's folder"),
        (&[("x1/deep/evil", file, b"x")], "is no file of a case's folder"),
        (&[("x1/evil", EntryType::Symlink, b"")], "is no file"),
        (&[("x1/evil", EntryType::Link, b"")], "is no file"),
        (&[("x1/evil", EntryType::Directory, b"")], "is no file"),
        (&[("x1/a", file, b"x"), ("x1/a", file, b"y")], "is there twice"),
        (&[("x1/a", file, &large)], "is one too large"),
        (&[], "there is no case in it"),
    ];
    for (at, (entries, why)) in refused.into_iter().enumerate() {
        let to = dir.path().join(at.to_string());
        let told = unpack(&bad(entries), &to).unwrap_err().to_string();
        assert!(told.contains(why), "{at}: {told}");
    }
    assert!(!dir.path().join("evil").exists());
    let good = bad(&[("x1/case.yaml", file, b"id: x1\n".repeat(500).as_slice())]);
    let bytes = STANDARD.decode(&good).unwrap();
    let cut = STANDARD.encode(&bytes[..bytes.len() / 2]);
    for (at, text) in ["%", "", &cut].into_iter().enumerate() {
        unpack(text, &dir.path().join(format!("text{at}"))).unwrap_err();
    }
    unpack(&good, &dir.path().join("good")).unwrap();
}

#[test]
fn a_bomb_is_not_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let file = EntryType::Regular;
    let half = vec![b'#'; MOST as usize / 2 + 1];
    let told = unpack(
        &bad(&[("x1/a", file, &half), ("x1/b", file, &half)]),
        &dir.path().join("cases"),
    );
    assert!(told.unwrap_err().to_string().contains("is one too large"));
    assert!(!dir.path().join("cases/x1/b").exists());
}
