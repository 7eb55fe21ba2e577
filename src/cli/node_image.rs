//! `kubeclash node-image`: a node image for kind, made on the spot.

use clap::{Args, Subcommand};

use super::Failure;
use super::components::print;
use super::flags::ComponentFlags;
use crate::exit;
use kubeclash_cluster::node_image::{self, NodeImageError, Order};
use kubeclash_components::{Cache, Resolver};
use kubeclash_host::progress::{Progress, elapsed};

const EXAMPLES: &str = "\
Examples:
  kubeclash node-image build
  kubeclash node-image build --kubernetes src:../kubernetes --tag kubeclash/node:mine
  kubeclash node-image list";

/// Make a node image for kind where no registry can be reached.
///
/// It is made of this distribution's packages and of components.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct NodeImageArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: NodeImageVerb,
}

/// What `kubeclash node-image` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum NodeImageVerb {
    /// Make one, unless there is one of just these components: as root, on Debian or Ubuntu, with mmdebstrap
    #[command(
        after_help = "Examples:\n  kubeclash node-image build\n  kubeclash node-image build --kubernetes v1.35.4"
    )]
    Build {
        /// Which build of each component
        #[command(flatten)]
        components: Box<ComponentFlags>,
        /// What it is called [default: kubeclash/node:VERSION, where --provider kind finds it]
        #[arg(long, value_name = "REF", value_parser = reference)]
        tag: Option<String>,
    },
    /// Show those that there are, each with the digest of what it was made of
    #[command(after_help = "Example:\n  kubeclash node-image list")]
    List,
}

/// An image's reference, as an engine takes it.
pub(super) fn reference(text: &str) -> Result<String, String> {
    match text.parse::<oci_client::Reference>() {
        Ok(reference) if reference.digest().is_none() => Ok(text.to_owned()),
        Ok(_) => Err("it must be a name and a tag, without a digest".to_owned()),
        Err(error) => Err(format!("{error}; write it as in kubeclash/node:mine")),
    }
}

impl From<NodeImageError> for Failure {
    fn from(error: NodeImageError) -> Self {
        Self {
            code: exit::UNAVAILABLE,
            report: error.into(),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is no image in the end.
pub async fn run(args: &NodeImageArgs, progress: &Progress) -> Result<(), Failure> {
    match &args.verb {
        NodeImageVerb::Build { components, tag } => {
            let started = std::time::Instant::now();
            let resolver = Resolver::new(Cache::open(None)?, progress.clone())?;
            let order = Order {
                selection: components.selection(),
                tag: tag.clone(),
            };
            let built = node_image::build(&order, &resolver, progress).await?;
            let tag = built.tag;
            let took = elapsed(started.elapsed());
            print([if built.cached {
                format!("{tag} is there, made of just these components ({took})")
            } else {
                format!("{tag} was made ({took})")
            }]);
        }
        NodeImageVerb::List => {
            let images = node_image::list().await?;
            if images.is_empty() {
                print(["none; \"kubeclash node-image build\" makes one".to_owned()]);
            }
            print(
                images
                    .iter()
                    .map(|(name, digest)| format!("{name:<32}{}", digest.get(..12).unwrap_or(digest))),
            );
        }
    }
    Ok(())
}
