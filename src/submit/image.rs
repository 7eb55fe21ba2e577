//! The image whose containers run kubeclash elsewhere: this very program, what it is linked with, and components.
//!
//! ```text
//! /usr/local/bin/kubeclash              this program           /var/cache/kubeclash    releases, as in the cache here
//! /lib64/ld-linux-x86-64.so.2, …        what it is linked with /usr/local/lib/kubeclash  forks, chosen by the image's
//! /etc/ssl/certs/ca-certificates.crt    for downloads                                    environment
//! ```
//!
//! It is made without an engine and without a registry, and takes what is under test with it: a `path:` or a checkout is
//! nothing that another machine could find.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde_json::Value;

use kubeclash_components::archive::{self, Content, Image};
use kubeclash_components::{
    Binary, ComponentError, ComponentName, Origin, Platform, Resolver, Selection, Spec,
};
use kubeclash_host::disk;

/// Whose the image's processes are: nobody's, as the field's images without a shell have it.
const USER: u32 = 65532;

/// Where the components' releases are, in an image.
const CACHE: &str = "/var/cache/kubeclash";

/// Where forks are.
const FORKS: &str = "/usr/local/lib/kubeclash";

/// Where downloads' certificates are: on this machine, and in an image.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What must be at one place for a program to start, and is mapped from wherever it really is.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// Why there is no image.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ImageError {
    /// A component can't be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Component(#[from] ComponentError),
    /// A component is none that an image could have.
    #[error("{flag}: {spec} is run by Docker, which is not there in a container")]
    #[diagnostic(help("take its program out of it: image+extract:REF"))]
    Container {
        /// The flag that selects it.
        flag: &'static str,
        /// What it is.
        spec: String,
    },
    /// This program is none that a container could run.
    #[error("an image is made of this program, and that is one for {os}")]
    #[diagnostic(help("make the image on Linux"))]
    Platform {
        /// The system that it is for.
        os: String,
    },
    /// The image can't be written.
    #[error("failed to write \"{}\": {error}", to.display())]
    #[diagnostic(help("an image of all components takes 0.5 GiB"))]
    Write {
        /// The file.
        to: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Writes an image of this program and of a selection's components, as `docker load` takes it.
///
/// # Errors
/// When a component can't be had or not be put into an image, this is not Linux, or the file can't be written.
pub async fn write(
    tag: &str,
    selection: &Selection,
    resolver: &Resolver,
    to: &Path,
) -> Result<(), ImageError> {
    let platform = Platform::host();
    if platform.os != "linux" {
        let os = platform.os;
        return Err(ImageError::Platform { os });
    }
    for name in ComponentName::ALL {
        let spec = selection.spec(name);
        if matches!(spec, Spec::Image(_)) {
            return Err(ImageError::Container {
                flag: name.flag(),
                spec: spec.to_string(),
            });
        }
    }
    let binaries = resolver.resolve(selection, &ComponentName::ALL).await?;
    let (tag, selection, target) = (tag.to_owned(), selection.clone(), to.to_owned());
    let failed = |error: io::Error| ImageError::Write {
        to: to.to_owned(),
        error,
    };
    if disk::is_stream(to) {
        return Err(failed(io::Error::other("it must be a file")));
    }
    let written = tokio::task::spawn_blocking(move || {
        let image = image(&tag, &selection, &binaries)?;
        // Whoever looks finds all of it or none.
        let (target, mut file) = disk::beside(&target)?;
        archive::write(BufWriter::with_capacity(1 << 20, &mut file), &[image], &platform)?;
        file.persist(&target).map_err(|error| error.error)
    });
    written
        .await
        .map_err(|error| failed(io::Error::other(error)))?
        .map_err(failed)?;
    Ok(())
}

fn image(tag: &str, selection: &Selection, binaries: &BTreeMap<ComponentName, Binary>) -> io::Result<Image> {
    let mut image = Image::new(tag, "kubeclash", &std::env::current_exe()?);
    image.user = Some(USER);
    image.env.push(format!("KUBECLASH_CACHE={CACHE}"));
    for (path, file) in linked(&fs::read_to_string("/proc/self/maps")?) {
        image.content.insert(path, Content::Program(file));
    }
    if Path::new(CERTIFICATES).is_file() {
        let file = fs::canonicalize(CERTIFICATES)?;
        image.content.insert(CERTIFICATES.into(), Content::Program(file));
    }
    image.content.insert("/tmp".into(), Content::Scratch);
    // Other releases can be added where it runs, and what clusters start from is made there.
    for folder in ["", "components"] {
        image
            .content
            .insert(Path::new(CACHE).join(folder), Content::Writable);
    }
    for binary in binaries.values() {
        add(&mut image, binary)?;
    }
    image.env.extend(environment(selection, binaries));
    Ok(image)
}

/// Adds a component: a release as the cache has it, and anything else as a program.
fn add(image: &mut Image, binary: &Binary) -> io::Result<()> {
    let no_file = || io::Error::other(format!("{} is no file", binary.name));
    let program = binary.file().ok_or_else(no_file)?;
    let Some(entry) = release(binary, program) else {
        let path = Path::new(FORKS).join(binary.name.program());
        image.content.insert(path, Content::Program(program.to_owned()));
        return Ok(());
    };
    let key = entry.file_name().ok_or_else(no_file)?;
    let kept = Path::new(CACHE).join("components").join(binary.name.program());
    let there = kept.join(key);
    image.content.insert(kept, Content::Writable);
    // It is as old as everything in an image: what is recorded of it must say so, or it is hashed at each start.
    let text = fs::read_to_string(entry.join("entry.json"))?;
    let mut recorded: Value = serde_json::from_str(&text)?;
    recorded["mtime_ns"] = 0.into();
    image
        .content
        .insert(there.join("entry.json"), Content::Text(recorded.to_string()));
    image.content.insert(
        there.join(binary.name.program()),
        Content::Program(program.to_owned()),
    );
    Ok(())
}

/// The entry of the cache that a binary is, where it is a release.
fn release<'a>(binary: &Binary, program: &'a Path) -> Option<&'a Path> {
    let released = match &binary.origin {
        Origin::Downloaded { .. } => true,
        Origin::Image { file, .. } => file.is_none(),
        Origin::Built { package, .. } => package.is_none(),
        _ => false,
    };
    released.then(|| program.parent()).flatten()
}

/// What chooses these components where the image runs: forks by their path, releases that are not the default by name.
fn environment(selection: &Selection, binaries: &BTreeMap<ComponentName, Binary>) -> Vec<String> {
    let usual = Selection::default();
    let said = |name: ComponentName| -> Option<String> {
        let binary = &binaries[&name];
        let spec = selection.spec(name);
        match (&spec, binary.file().and_then(|file| release(binary, file))) {
            (Spec::Release(_), Some(_)) => (spec != usual.spec(name)).then(|| spec.to_string()),
            _ => Some(format!("path:{FORKS}/{}", name.program())),
        }
    };
    let kubernetes: Vec<Option<String>> = ComponentName::KUBERNETES.iter().map(|&name| said(name)).collect();
    // One release is one variable, over which a job's own --kubernetes wins.
    let one = kubernetes[0].as_ref().filter(|one| {
        !one.starts_with("path:") && kubernetes.iter().all(|other| other.as_ref() == Some(one))
    });
    let together = one.map(|release| format!("KUBECLASH_KUBERNETES={release}"));
    let alone = ComponentName::ALL
        .into_iter()
        .filter(|name| one.is_none() || !ComponentName::KUBERNETES.contains(name))
        .filter_map(|name| Some(format!("{}={}", name.env(), said(name)?)));
    together.into_iter().chain(alone).collect()
}

/// The shared objects that a process has mapped, where a container has to have them, and the files that they are.
fn linked(maps: &str) -> BTreeMap<PathBuf, PathBuf> {
    let mut linked = BTreeMap::new();
    let files = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    for file in files.filter(|file| is_shared_object(file)) {
        let base = |path: &str| path.rsplit('/').next().map(str::to_owned);
        if let Some(loader) = LOADERS.iter().find(|loader| base(loader) == base(file)) {
            linked.insert(PathBuf::from(loader), PathBuf::from(file));
        }
        linked.insert(PathBuf::from(file), PathBuf::from(file));
    }
    linked
}

fn is_shared_object(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_components::Program;

    #[test]
    fn shared_objects_are_taken_from_the_map_of_a_process() {
        let maps = "\
            55d0-55d1 r-xp 00000000 fe:00 12  /usr/bin/kubeclash\n\
            7f00-7f01 r-xp 00000000 fe:00 13  /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7f01-7f02 r--p 00000000 fe:00 13  /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7f02-7f03 r-xp 00000000 fe:00 14  /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n\
            7f03-7f04 rw-p 00000000 00:00 0\n\
            7f04-7f05 r-xp 00000000 00:00 0   [vdso]\n";
        let linked = linked(maps);
        let places: Vec<&str> = linked.keys().filter_map(|path| path.to_str()).collect();
        assert_eq!(
            places,
            [
                "/lib64/ld-linux-x86-64.so.2",
                "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                "/usr/lib/x86_64-linux-gnu/libc.so.6",
            ]
        );
        assert_eq!(
            linked[Path::new("/lib64/ld-linux-x86-64.so.2")],
            Path::new("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        );
    }

    fn binary(name: ComponentName, dir: &Path, origin: Origin) -> Binary {
        let path = dir.join(name.program());
        fs::write(&path, "program").unwrap();
        fs::write(dir.join("entry.json"), "{\"size\":7,\"mtime_ns\":12}").unwrap();
        Binary {
            name,
            version: "v9".to_owned(),
            program: Program::File { path },
            sha256: String::new(),
            origin,
            build_log: None,
        }
    }

    #[test]
    fn a_release_is_in_the_images_cache_and_a_fork_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("v9-linux-amd64");
        fs::create_dir(&there).unwrap();
        let origin = Origin::Downloaded { url: String::new() };
        let mut image = Image::new("a:1", "kubeclash", Path::new("/k"));
        add(&mut image, &binary(ComponentName::Kwok, &there, origin)).unwrap();
        add(
            &mut image,
            &binary(ComponentName::Scheduler, &there, Origin::Given),
        )
        .unwrap();
        let kept = Path::new("/var/cache/kubeclash/components/kwok/v9-linux-amd64");
        assert_eq!(
            image.content[&kept.join("kwok")],
            Content::Program(there.join("kwok"))
        );
        assert_eq!(
            image.content[&kept.join("entry.json")],
            Content::Text("{\"size\":7,\"mtime_ns\":0}".to_owned())
        );
        let fork = Path::new("/usr/local/lib/kubeclash/kube-scheduler");
        assert_eq!(
            image.content[fork],
            Content::Program(there.join("kube-scheduler"))
        );
    }

    #[test]
    fn what_is_not_the_default_is_chosen_by_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let binaries = |given: Option<ComponentName>| -> BTreeMap<ComponentName, Binary> {
            let origin = |name| match given {
                Some(fork) if fork == name => Origin::Given,
                _ => Origin::Downloaded { url: String::new() },
            };
            let all = ComponentName::ALL.into_iter();
            all.map(|name| (name, binary(name, dir.path(), origin(name))))
                .collect()
        };
        let usual = Selection::default();
        assert_eq!(environment(&usual, &binaries(None)), [""; 0]);
        let older = usual
            .clone()
            .with_kubernetes(&"v1.34.4".parse().unwrap())
            .unwrap();
        assert_eq!(
            environment(&older, &binaries(None)),
            ["KUBECLASH_KUBERNETES=v1.34.4"]
        );
        let fork = older.with(ComponentName::Scheduler, "path:/my/fork".parse().unwrap());
        assert_eq!(
            environment(&fork, &binaries(Some(ComponentName::Scheduler))),
            [
                "KUBECLASH_APISERVER=v1.34.4",
                "KUBECLASH_CONTROLLER_MANAGER=v1.34.4",
                "KUBECLASH_SCHEDULER=path:/usr/local/lib/kubeclash/kube-scheduler",
            ]
        );
    }
}
