//! Temporary.
use crate::experiment::LoadStep;
/// x
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Measured {}
/// x
pub struct Measuring {}
impl Measuring {
    /// x
    pub async fn start(
        _: &kube::Client,
        _: Option<String>,
        _: Vec<(String, u32)>,
        _: std::time::Instant,
    ) -> Self {
        Self {}
    }
    /// x
    pub fn step(&self, _: LoadStep) {}
    /// x
    pub async fn finish(self) -> Measured {
        Measured {}
    }
}
