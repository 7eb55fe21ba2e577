//! `kubeclash image`: a container image of this program and of components.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::components::print;
use super::flags::ComponentFlags;
use super::node_image::reference;
use crate::exit;
use crate::submit::image::{self, ImageError};
use kubeclash_components::{Cache, Resolver};
use kubeclash_host::progress::{Progress, elapsed};

/// Make a container image of this program and of components.
///
/// It is for "kubeclash submit" and for CI systems. It takes neither a container engine nor a registry, and has what is under test in it: a fork by path, a checkout, another
/// release. Its program is this one, on PATH, with what it is linked with; components that are in it are not fetched where it
/// runs. Load it with "docker load", "ctr images import" or "kind load image-archive", and push it from there.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  kubeclash image --tag registry.example.org/me/kubeclash:pr-12 --out kubeclash.tar --scheduler path:./kube-scheduler\n  \
                  docker load --input kubeclash.tar && docker push registry.example.org/me/kubeclash:pr-12\n  \
                  kind load image-archive kubeclash.tar --name mine"
)]
pub struct ImageArgs {
    /// What it is called
    #[arg(long, value_name = "REF", value_parser = reference)]
    pub tag: String,
    /// The archive that is written
    #[arg(long, value_name = "FILE", default_value = "kubeclash.tar")]
    pub out: PathBuf,
    /// Which build of each component
    #[command(flatten)]
    pub components: ComponentFlags,
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let code = match error {
            ImageError::Component(_) | ImageError::Platform { .. } => exit::UNAVAILABLE,
            ImageError::Container { .. } => exit::USAGE,
            ImageError::Write { .. } => exit::ERROR,
        };
        Self {
            code,
            report: error.into(),
        }
    }
}

/// Makes the image.
///
/// # Errors
/// When there is none in the end.
pub async fn run(args: &ImageArgs, progress: &Progress) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    let resolver = Resolver::new(Cache::open(None)?, progress.clone())?;
    let task = progress.task(format!("writing {}", args.out.display()));
    image::write(&args.tag, &args.components.selection(), &resolver, &args.out).await?;
    drop(task);
    print([format!(
        "{} is in {} ({})",
        args.tag,
        args.out.display(),
        elapsed(started.elapsed())
    )]);
    Ok(())
}
