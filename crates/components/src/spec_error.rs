//! Why a text is not a component, or no spec of one.

/// What can be written, for messages.
const FORMS: &str = "write a release (v1.36.3), path:FILE, src:DIR, go:MODULE/cmd/name@VERSION, image:REF or image+extract:REF";

/// Why a text is not a spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum SpecError {
    /// Not a release.
    #[error("\"{0}\" is not a release, which is written in full: {forms}", forms = FORMS)]
    Version(String),
    /// A kind and nothing behind it.
    #[error("\"{0}:\" names nothing: {forms}", forms = FORMS)]
    Empty(String),
    /// A kind that nobody knows.
    #[error("\"{0}:\" is no kind of component: {forms}", forms = FORMS)]
    Kind(String),
    /// Not a checkout and a package in it.
    #[error("\"src:{0}\" is not a folder and a package in it: write src:DIR or src:DIR#./cmd/name")]
    Package(String),
    /// Not a package and a version.
    #[error(
        "\"go:{0}\" is not a package and a version: write go:MODULE/cmd/name@VERSION, as in \
         go:sigs.k8s.io/descheduler/cmd/descheduler@v0.35.1"
    )]
    Query(String),
    /// Not the reference of an image.
    #[error("\"{text}\" is no image's reference: {why}; write it as in ghcr.io/me/descheduler:pr-12")]
    Reference {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A package or an image of one program, where three are wanted.
    #[error("\"{spec}\" is one program, and --kubernetes is three: {form}")]
    NotThree {
        /// What was written.
        spec: String,
        /// What could be written instead.
        form: &'static str,
    },
    /// Not a component.
    #[error("\"{text}\" is no component: they are {all}")]
    Component {
        /// What was written.
        text: String,
        /// Those that there are.
        all: String,
    },
}
