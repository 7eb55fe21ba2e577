//! Programs out of anybody's images, without Docker: good ones, and what a hostile registry could serve.

use std::path::Path;

use kubeclash_components::{Binary, ComponentError, ComponentName, Origin, Resolver, Selection, Spec};
use miette::Diagnostic;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::component_site::{Lines, Reply, Site, closed, digest, layer, resolver, sha256};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// An image `me/fork:tag` of one platform.
struct Image {
    config: Value,
    layers: Vec<(String, Vec<u8>)>,
    /// In the place of a layer's size or of what is served for it.
    declared: Option<u64>,
    served: Option<Reply>,
}

fn image(config: Value, layers: &[&[u8]]) -> Image {
    Image {
        config: json!({"architecture": "amd64", "os": "linux", "config": config}),
        layers: layers
            .iter()
            .map(|layer| (GZIP.to_owned(), layer.to_vec()))
            .collect(),
        declared: None,
        served: None,
    }
}

impl Image {
    fn blobs(&self) -> (Vec<(String, Reply)>, Vec<u8>) {
        let config = serde_json::to_vec(&self.config).unwrap();
        let place = |blob: &[u8]| format!("/v2/me/fork/blobs/{}", digest(blob));
        let mut replies = vec![
            ("/v2/".to_owned(), Reply::Body(Vec::new())),
            (place(&config), Reply::Body(config.clone())),
        ];
        let mut layers = Vec::new();
        for (kind, layer) in &self.layers {
            let served = self.served.clone().unwrap_or_else(|| Reply::Body(layer.clone()));
            replies.push((place(layer), served));
            let size = self.declared.unwrap_or(layer.len() as u64);
            layers.push(json!({"mediaType": kind, "size": size, "digest": digest(layer)}));
        }
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": digest(&config)},
            "layers": layers,
        }))
        .unwrap();
        let index = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "size": manifest.len(),
                "digest": digest(&manifest),
                "platform": {"os": "linux", "architecture": "amd64"},
            }],
        }))
        .unwrap();
        replies.push((
            format!("/v2/me/fork/manifests/{}", digest(&manifest)),
            Reply::Body(manifest.clone()),
        ));
        replies.push(("/v2/me/fork/manifests/tag".to_owned(), Reply::Body(index)));
        (replies, manifest)
    }
}

/// A static program: the head of an ELF file for amd64, without program headers, and something to know it by.
fn program(mark: &str) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    file.resize(64, 0);
    file[18] = 62;
    file.extend(mark.as_bytes());
    file
}

/// The same with one program header, which names a loader.
fn dynamic() -> Vec<u8> {
    let mut file = program("");
    (file[32], file[54], file[56]) = (64, 56, 1);
    let mut header = vec![0; 56];
    (header[0], header[8], header[32]) = (3, 120, 28);
    [file, header, b"/lib64/ld-linux-x86-64.so.2\0".to_vec()].concat()
}

/// A layer with symbolic links: a name, and what it points to.
fn links(links: &[(&str, &str)]) -> Vec<u8> {
    raw(|tar| {
        for (name, target) in links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, name, target).unwrap();
        }
    })
}

/// A layer with a member of any name.
fn named(name: &str) -> Vec<u8> {
    raw(|tar| {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(4);
        header.set_cksum();
        tar.append(&header, &b"evil"[..]).unwrap();
    })
}

fn raw(fill: impl FnOnce(&mut tar::Builder<flate2::write::GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    fill(&mut tar);
    tar.into_inner().unwrap().finish().unwrap()
}

struct Registry {
    site: Site,
    cache: TempDir,
    resolver: Resolver,
}

impl Registry {
    async fn serve(replies: Vec<(String, Reply)>) -> Self {
        let site = Site::serve(replies).await;
        let cache = tempdir().unwrap();
        let resolver = resolver(cache.path(), &site.address, &Lines::default());
        Self {
            site,
            cache,
            resolver,
        }
    }

    async fn extract(&self, tag: &str) -> Result<Binary, ComponentError> {
        extract(&self.resolver, &format!("{}/me/fork:{tag}", self.site.address)).await
    }
}

async fn extract(resolver: &Resolver, reference: &str) -> Result<Binary, ComponentError> {
    let name = ComponentName::Descheduler;
    let selection = Selection::default().with(name, Spec::Extract(reference.to_owned()));
    Ok(resolver
        .resolve(&selection, &[name])
        .await?
        .remove(&name)
        .unwrap())
}

async fn extracted(image: Image) -> (Binary, Vec<u8>) {
    let registry = Registry::serve(image.blobs().0).await;
    let binary = registry.extract("tag").await.unwrap();
    let content = std::fs::read(binary.file().unwrap()).unwrap();
    (binary, content)
}

/// Why an image is refused; nothing of it is left in the cache.
async fn refusal(image: Image) -> String {
    let registry = Registry::serve(image.blobs().0).await;
    let error = registry.extract("tag").await.unwrap_err();
    assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
    assert!(
        error
            .help()
            .unwrap()
            .to_string()
            .contains("--descheduler path:FILE")
    );
    only_locks(registry.cache.path());
    error.to_string()
}

fn only_locks(cache: &Path) {
    let folder = cache.join("components/descheduler");
    for file in folder.read_dir().into_iter().flatten().map(Result::unwrap) {
        assert_eq!(file.path().extension().unwrap(), "lock", "{file:?}");
    }
}

#[tokio::test]
async fn what_an_image_starts_is_taken_out_and_kept_by_digest() {
    let binary = layer(&[("usr/lib/fork/descheduler-1.2", program("it"))]);
    let links = links(&[
        ("usr/bin/descheduler", "../lib/fork/descheduler-1.2"),
        ("bin", "/usr/bin"),
    ]);
    let image = image(
        json!({"Entrypoint": ["descheduler"], "Env": ["PATH=/sbin:/bin"]}),
        &[&binary, &links],
    );
    let (replies, manifest) = image.blobs();
    let registry = Registry::serve(replies).await;
    let taken = registry.extract("tag").await.unwrap();
    assert_eq!(std::fs::read(taken.file().unwrap()).unwrap(), program("it"));
    assert_eq!(taken.sha256, sha256(&program("it")));
    let origin = Origin::Image {
        reference: format!("{}/me/fork:tag", registry.site.address),
        digest: digest(&manifest),
        file: Some("/bin/descheduler".into()),
    };
    assert_eq!(taken.origin, origin);

    assert_eq!(registry.extract("tag").await.unwrap(), taken);
    let blob = format!("/v2/me/fork/blobs/{}", digest(&binary));
    assert_eq!(
        registry.site.asked(&blob),
        1,
        "what is known is not fetched again"
    );
    assert_eq!(
        registry.site.asked("/v2/me/fork/manifests/tag"),
        2,
        "a tag can move"
    );
    let kept = registry.resolver.cache().list();
    assert_eq!(kept.len(), 1);
    let (count, _) = registry
        .resolver
        .cache()
        .clean(&Lines::default().progress())
        .await
        .unwrap();
    assert_eq!(count, 1);
    only_locks(registry.cache.path());
}

#[tokio::test]
async fn an_image_that_starts_something_else_has_it_in_the_usual_places() {
    for place in [
        "bin/descheduler",
        "usr/local/bin/descheduler",
        "descheduler",
        "/ko-app/descheduler",
    ] {
        let files = match place.strip_prefix('/') {
            Some(_) => raw(|tar| {
                let mut header = tar::Header::new_ustar();
                header.as_old_mut().name[..place.len()].copy_from_slice(place.as_bytes());
                header.set_size(program("it").len() as u64);
                header.set_cksum();
                tar.append(&header, program("it").as_slice()).unwrap();
            }),
            None => layer(&[("go-runner", program("other")), (place, program("it"))]),
        };
        let (_, content) = extracted(image(json!({"Entrypoint": ["/go-runner"]}), &[&files])).await;
        assert_eq!(content, program("it"), "{place}");
    }
}

#[tokio::test]
async fn layers_may_be_packed_with_zstd_or_not_at_all() {
    let gzipped = layer(&[("bin/descheduler", program("it"))]);
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(gzipped.as_slice()), &mut plain).unwrap();
    let zstd = compress_to_vec(plain.as_slice(), CompressionLevel::Fastest);
    for (kind, bytes) in [(ZSTD, zstd), ("application/vnd.oci.image.layer.v1.tar", plain)] {
        let mut image = image(json!({}), &[]);
        image.layers = vec![(kind.to_owned(), bytes)];
        assert_eq!(extracted(image).await.1, program("it"), "{kind}");
    }
    let mut odd = image(json!({}), &[]);
    odd.layers = vec![("application/x-7z".to_owned(), vec![0; 9])];
    let said = refusal(odd).await;
    assert!(
        said.contains("layers of type \"application/x-7z\" cannot be read"),
        "{said}"
    );
}

#[tokio::test]
async fn what_needs_the_rest_of_the_image_is_sent_to_docker() {
    let said = refusal(image(json!({}), &[&layer(&[("bin/descheduler", dynamic())])])).await;
    assert!(
        said.contains(
            "\"/bin/descheduler\" is linked dynamically (it wants \"/lib64/ld-linux-x86-64.so.2\")"
        ) && said.contains("use image: instead"),
        "{said}"
    );
    let said = refusal(image(json!({}), &[&layer(&[("bin/descheduler", "#!/bin/sh\n")])])).await;
    assert!(
        said.contains("is a script") && said.contains("use image: instead"),
        "{said}"
    );
    let said = refusal(image(json!({}), &[&layer(&[("bin/descheduler", "text")])])).await;
    assert!(said.contains("is not an executable"), "{said}");
    let said = refusal(image(json!({}), &[&layer(&[("bin/other", program(""))])])).await;
    assert!(
        said.contains("it has no file \"/bin/descheduler\", \"/usr/local/bin/descheduler\""),
        "{said}"
    );
}

#[tokio::test]
async fn names_and_links_that_leave_the_image_lead_nowhere() {
    for name in ["../bin/descheduler", "bin/../../descheduler"] {
        let said = refusal(image(json!({}), &[&named(name)])).await;
        assert!(said.contains(&format!("it has a member \"{name}\"")), "{said}");
    }
    let round = links(&[
        ("bin/descheduler", "/usr/bin/x"),
        ("usr/bin/x", "../../bin/descheduler"),
    ]);
    let said = refusal(image(json!({}), &[&round])).await;
    assert!(said.contains("is a symbolic link that leads to itself"), "{said}");
    // The file is there on this machine, and not in the image.
    let escape = links(&[("bin/descheduler", "../../../../../../bin/sh")]);
    let said = refusal(image(json!({}), &[&escape])).await;
    assert!(said.contains("it has no file"), "{said}");
}

#[tokio::test]
async fn a_layer_of_ten_gigabytes_is_not_even_asked_for() {
    let files = layer(&[("bin/descheduler", program("it"))]);
    let mut big = image(json!({}), &[&files]);
    big.declared = Some(10_000_000_000);
    let registry = Registry::serve(big.blobs().0).await;
    let said = registry.extract("tag").await.unwrap_err().to_string();
    assert!(
        said.contains("its layers have 9.31 GiB") && said.contains("of more than 2.00 GiB"),
        "{said}"
    );
    assert_eq!(
        registry
            .site
            .asked(&format!("/v2/me/fork/blobs/{}", digest(&files))),
        0
    );
    only_locks(registry.cache.path());
}

#[tokio::test]
async fn a_layer_that_is_not_what_the_manifest_says_is_refused() {
    let files = layer(&[("bin/descheduler", program("it"))]);
    let spoilt = |served: Reply| Image {
        served: Some(served),
        ..image(json!({}), &[&files])
    };
    let said = refusal(spoilt(Reply::Half(files.clone()))).await;
    assert!(said.contains("was cut off after"), "{said}");
    let mut other = files.clone();
    *other.last_mut().unwrap() ^= 1;
    let said = refusal(spoilt(Reply::Body(other))).await;
    assert!(said.contains("has the wrong checksum"), "{said}");
    let longer = [files.clone(), vec![0; 1000]].concat();
    let said = refusal(spoilt(Reply::Body(longer))).await;
    assert!(
        said.contains("goes on after the") || said.contains("wrong checksum"),
        "{said}"
    );
    // Its digest is right, and it ends in the middle.
    let said = refusal(image(json!({}), &[&files[..files.len() / 2]])).await;
    assert!(
        said.contains(&format!("layer {}", digest(&files[..files.len() / 2]))),
        "{said}"
    );
}

#[tokio::test]
async fn an_image_that_is_not_there_and_a_registry_that_is_not_are_named() {
    let registry = Registry::serve(image(json!({}), &[]).blobs().0).await;
    let said = registry.extract("other").await.unwrap_err().to_string();
    let reference = format!("{}/me/fork:other", registry.site.address);
    assert!(
        said.contains(&format!(
            "image+extract:{reference}: there is no {reference} (404)"
        )),
        "{said}"
    );
    assert_eq!(registry.cache.path().read_dir().unwrap().count(), 0);
    let address = closed().await;
    let said = extract(&registry.resolver, &format!("{address}/me/fork:tag"))
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains(&format!("{address} cannot be reached")), "{said}");
}
