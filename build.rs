//! Rebuilds the crate when a file is added to what it embeds; the embedding itself only tracks files that it knows.

fn main() {
    println!("cargo::rerun-if-changed=manifests");
}
