//! The descheduler out of its image, from a registry on loopback.

use kubeclash_components::{Binary, ComponentError, ComponentName, Origin, Selection};
use serde_json::json;
use tempfile::tempdir;

use crate::component_site::{Lines, Reply, Site, closed, digest, layer, resolver, sha256};

const REPOSITORY: &str = "/v2/descheduler/descheduler";

/// What a registry serves for one image: per platform its layers, from the lowest to the uppermost.
struct Image {
    replies: Vec<(String, Reply)>,
    manifests: Vec<Vec<u8>>,
}

fn image(platforms: &[(&str, &[Vec<u8>])]) -> Image {
    let mut image = Image {
        replies: vec![("/v2/".to_owned(), Reply::Body(Vec::new()))],
        manifests: Vec::new(),
    };
    let mut entries = Vec::new();
    for (arch, layers) in platforms {
        let described: Vec<_> = layers
            .iter()
            .map(|layer| {
                image.replies.push((format!("{REPOSITORY}/blobs/{}", digest(layer)), Reply::Body(layer.clone())));
                json!({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer.len(), "digest": digest(layer)})
            })
            .collect();
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": digest(b"{}")},
            "layers": described,
        }))
        .unwrap();
        entries.push(json!({
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "size": manifest.len(),
            "digest": digest(&manifest),
            "platform": {"os": "linux", "architecture": arch},
        }));
        let path = format!("{REPOSITORY}/manifests/{}", digest(&manifest));
        image.replies.push((path, Reply::Body(manifest.clone())));
        image.manifests.push(manifest);
    }
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": entries,
    }))
    .unwrap();
    image
        .replies
        .push((format!("{REPOSITORY}/manifests/v0.36.0"), Reply::Body(index)));
    image
}

impl Image {
    fn replace(&mut self, path: &str, reply: Reply) {
        self.replies
            .iter_mut()
            .find(|(served, _)| served == path)
            .unwrap()
            .1 = reply;
    }
}

/// The binary and its content, or the whole error.
async fn pull(image: Image) -> Result<(Binary, Vec<u8>), String> {
    let site = Site::serve(image.replies).await;
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    match resolver
        .resolve(&Selection::default(), &[ComponentName::Descheduler])
        .await
    {
        Ok(mut binaries) => {
            let mut binary = binaries.remove(&ComponentName::Descheduler).unwrap();
            let content = std::fs::read(binary.file().unwrap()).unwrap();
            assert_eq!(
                binary
                    .file()
                    .unwrap()
                    .parent()
                    .unwrap()
                    .read_dir()
                    .unwrap()
                    .count(),
                2,
                "more than binary and record"
            );
            if let Origin::Image { reference, .. } = &mut binary.origin {
                *reference = reference.replace(&site.address, "registry");
            }
            Ok((binary, content))
        }
        Err(error) => {
            assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
            assert!(resolver.cache().list().is_empty());
            Err(error.to_string())
        }
    }
}

#[tokio::test]
async fn the_binary_of_this_platform_is_taken_out() {
    let arm = [layer(&[("bin/descheduler", "arm64")])];
    let amd = [layer(&[("etc/passwd", "root"), ("bin/descheduler", "amd64")])];
    let image = image(&[("arm64", &arm), ("amd64", &amd)]);
    let digest = digest(&image.manifests[1]);
    let (binary, content) = pull(image).await.unwrap();
    assert_eq!(content, b"amd64");
    assert_eq!(binary.sha256, sha256(b"amd64"));
    let reference = "registry/descheduler/descheduler:v0.36.0".to_owned();
    let file = None;
    assert_eq!(
        binary.origin,
        Origin::Image {
            reference,
            digest,
            file
        }
    );
}

#[tokio::test]
async fn upper_layers_win_and_whiteouts_hide() {
    let low = layer(&[("bin/descheduler", "low")]);
    let high = layer(&[("./bin/descheduler", "high")]);
    let above = layer(&[("etc/motd", "hello")]);
    let (_, content) = pull(image(&[("amd64", &[low.clone(), high, above])]))
        .await
        .unwrap();
    assert_eq!(content, b"high");
    let gone = layer(&[("bin/.wh.descheduler", "")]);
    let error = pull(image(&[("amd64", &[low, gone])])).await.unwrap_err();
    assert!(error.contains("has no file \"/bin/descheduler\""), "{error}");
}

#[tokio::test]
async fn a_layer_with_another_digest_is_refused() {
    let layers = [layer(&[("bin/descheduler", "good")])];
    let mut image = image(&[("amd64", &layers)]);
    let evil = layer(&[("bin/descheduler", "evil")]);
    image.replace(
        &format!("{REPOSITORY}/blobs/{}", digest(&layers[0])),
        Reply::Body(evil.clone()),
    );
    let error = pull(image).await.unwrap_err();
    let said = format!(
        "has the wrong checksum: {}, and {} is published",
        digest(&evil),
        digest(&layers[0])
    );
    assert!(error.contains(&said), "{error}");
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_refused() {
    let layers = [layer(&[("bin/descheduler", "good")])];
    let mut image = image(&[("amd64", &layers)]);
    let path = format!("{REPOSITORY}/manifests/{}", digest(&image.manifests[0]));
    let mut other = image.manifests[0].clone();
    other.push(b'\n');
    image.replace(&path, Reply::Body(other));
    let error = pull(image).await.unwrap_err();
    assert!(error.contains("has the wrong checksum"), "{error}");
}

#[tokio::test]
async fn a_layer_that_is_cut_off_is_told_from_a_wrong_one() {
    let layers = [layer(&[("bin/descheduler", "good")])];
    let mut image = image(&[("amd64", &layers)]);
    image.replace(
        &format!("{REPOSITORY}/blobs/{}", digest(&layers[0])),
        Reply::Half(layers[0].clone()),
    );
    let error = pull(image).await.unwrap_err();
    assert!(error.contains("was cut off after"), "{error}");
}

#[tokio::test]
async fn an_image_for_other_machines_is_named() {
    let layers = [layer(&[("bin/descheduler", "arm64")])];
    let error = pull(image(&[("arm64", &layers)])).await.unwrap_err();
    assert!(error.contains("has no image for linux/amd64"), "{error}");
}

#[tokio::test]
async fn a_registry_without_the_image_and_no_registry_are_two_things() {
    let empty = Image {
        replies: vec![("/v2/".to_owned(), Reply::Body(Vec::new()))],
        manifests: Vec::new(),
    };
    let error = pull(empty).await.unwrap_err();
    assert!(
        error.contains("there is no ") && error.contains("(404)"),
        "{error}"
    );

    let cache = tempdir().unwrap();
    let address = closed().await;
    let resolver = resolver(cache.path(), &address, &Lines::default());
    let error = resolver
        .resolve(&Selection::default(), &[ComponentName::Descheduler])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("{address} cannot be reached")),
        "{error}"
    );
}
