//! The 13 steps, carried out one after another.

use std::time::{Duration, Instant};

use kube::Client;

use super::announce::Log;
use super::objects::{Item, Mix};
use super::pods::Pods;
use super::profile::Says;
use super::requests::{Batch, Deed, Done, read};
use super::run::{ClientRequests, StepRecord};
use kubeclash_timeline::LoadStep;

/// How many late objects are named.
const NAMED: usize = 10;

/// How often what a wait sees is told.
const TOLD: Duration = Duration::from_millis(500);

/// What the steps need.
pub(super) struct Course<'a> {
    pub(super) says: &'a Says,
    pub(super) client: Client,
    /// Told of each step that begins.
    pub(super) on_step: &'a (dyn Fn(LoadStep) + Sync),
    pub(super) log: &'a Log,
    /// Told of step and progress.
    pub(super) say: &'a (dyn Fn(&str) + Sync),
    /// When the run began.
    pub(super) began: Instant,
}

/// How far the steps have got. Outlives their being given up.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub(super) steps: Vec<StepRecord>,
    pub(super) requests: ClientRequests,
}

impl Course<'_> {
    /// Carries all steps out; what they came to is in `gone`, also when this is dropped half-way.
    pub(super) async fn run(&self, gone: &mut Gone) {
        let readers = self.says.readers;
        tokio::select! {
            () = self.steps(gone) => {}
            () = read(&self.client, readers.lists_per_s, readers.clients) => {}
        }
    }

    async fn steps(&self, gone: &mut Gone) {
        let mix = Mix::of(self.says);
        let scaled = mix.scaled(self.says);
        let rates = self.says.rates;
        let deadlines = self.says.deadlines_s;
        let mut pods = None;
        for step in LoadStep::ALL {
            self.begin(step, gone);
            match step {
                LoadStep::StartMeasurements => {
                    self.send(Deed::Create, &mix.namespaces, rates.create_per_s, gone)
                        .await;
                }
                LoadStep::CreateServices => {
                    self.send(Deed::Create, &mix.services, rates.create_per_s, gone)
                        .await;
                }
                LoadStep::CreatePriorityClass => {
                    let class = &mix.priority_class;
                    self.send(Deed::Create, class, rates.create_per_s, gone).await;
                }
                LoadStep::StartWaitingForPods => pods = Some(Pods::follow(self.client.clone())),
                LoadStep::CreateObjects => {
                    self.send(Deed::Create, &mix.objects, rates.create_per_s, gone)
                        .await;
                }
                LoadStep::WaitForRunning => {
                    self.wait(pods.as_ref(), &mix.objects, deadlines.running, gone)
                        .await;
                }
                LoadStep::ScaleObjects => self.send(Deed::Change, &scaled, rates.scale_per_s, gone).await,
                LoadStep::WaitForScaled => {
                    let objects = after(&mix, &scaled);
                    self.wait(pods.as_ref(), &objects, deadlines.scaled, gone).await;
                }
                LoadStep::DeleteObjects => {
                    self.send(Deed::Delete, &mix.objects, rates.delete_per_s, gone)
                        .await;
                }
                LoadStep::WaitForDeleted => {
                    let none: Vec<Item> = mix.objects.iter().map(Item::gone).collect();
                    self.wait(pods.as_ref(), &none, deadlines.deleted, gone).await;
                }
                LoadStep::DeletePriorityClass => {
                    let class = &mix.priority_class;
                    self.send(Deed::Delete, class, rates.delete_per_s, gone).await;
                }
                LoadStep::DeleteServices => {
                    self.send(Deed::Delete, &mix.services, rates.delete_per_s, gone)
                        .await;
                }
                LoadStep::CollectMeasurements => drop(pods.take()),
            }
            self.end(step, gone);
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&self, step: LoadStep, gone: &mut Gone) {
        self.log.started(step);
        (self.on_step)(step);
        (self.say)(&format!("step {} of 13, {step}", step.number()));
        gone.steps.push(StepRecord {
            step,
            started_ms: self.now_ms(),
            ended_ms: None,
            late: Vec::new(),
            late_total: 0,
            note: None,
        });
    }

    fn end(&self, step: LoadStep, gone: &mut Gone) {
        self.log.ended(step);
        if let Some(record) = gone.steps.last_mut() {
            record.ended_ms = Some(self.now_ms());
        }
    }

    /// Sends a batch, at its rate, and notes what could not be sent.
    async fn send(&self, deed: Deed, items: &[Item], rate: f64, gone: &mut Gone) {
        let clients = self.says.rates.clients;
        let batch = Batch {
            deed,
            items,
            rate,
            clients,
        };
        let step = gone.steps.last().map(|record| record.step);
        let name = step.map(|step| format!("step {} of 13, {step}", step.number()));
        let name = name.unwrap_or_default();
        let Done {
            sent,
            lost,
            rate: was,
        } = batch
            .send(&self.client, &|done| {
                (self.say)(&format!("{name}: {done} of {}", items.len()))
            })
            .await;
        gone.requests.add(&sent);
        let Some(record) = gone.steps.last_mut() else {
            return;
        };
        let note = format!("{} requests at {was:.1} a second, {rate} asked for", items.len());
        self.log.info(&note);
        record.note = Some(note);
        self.late(record, &lost);
    }

    /// Waits until every object has the pods that it should have, or the deadline is over.
    async fn wait(&self, pods: Option<&Pods>, items: &[Item], deadline_s: u64, gone: &mut Gone) {
        let (Some(pods), Some(record)) = (pods, gone.steps.last_mut()) else {
            return;
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(deadline_s);
        let wanted: usize = items.iter().map(Item::pods).sum();
        let owners: Vec<&Item> = items.iter().filter(|item| item.owns_pods()).collect();
        let mut changes = pods.changes();
        loop {
            changes.mark_unchanged();
            let (running, there) = pods.count();
            let step = record.step;
            (self.say)(&format!(
                "step {} of 13, {step}: {running} of {wanted} pods run, {there} are there",
                step.number()
            ));
            // Objects are looked at one by one only when the sum is right, or the time is over.
            let over = tokio::time::Instant::now() >= deadline;
            if over || (running == wanted && there == wanted) {
                let late: Vec<String> = owners.iter().filter_map(|item| pods.lacks(item)).collect();
                if late.is_empty() || over {
                    self.late(record, &late);
                    return;
                }
            }
            let told = tokio::time::Instant::now() + TOLD;
            // Not at each of thousands of changes.
            tokio::time::sleep_until(told.min(deadline)).await;
            let _ = tokio::time::timeout_at(deadline, changes.changed()).await;
        }
    }

    fn late(&self, record: &mut StepRecord, late: &[String]) {
        for one in late {
            self.log.warn(&format!("timed out: {one}"));
        }
        record.late.extend(late.iter().take(NAMED).cloned());
        record.late_total += late.len() as u64;
    }
}

/// All objects as they are after step 7.
fn after(mix: &Mix, scaled: &[Item]) -> Vec<Item> {
    let changed: std::collections::BTreeMap<String, &Item> =
        scaled.iter().map(|item| (item.path(), item)).collect();
    let objects = mix.objects.iter();
    objects
        .map(|item| (*changed.get(&item.path()).unwrap_or(&item)).clone())
        .collect()
}
