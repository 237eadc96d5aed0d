//! One fixed scenario, and a fault at every call it makes of the disk, one run each: no panic, no `Ok` for
//! an act that is not there afterwards, and a store that either goes on or says that it has failed.

use std::path::Path;
use std::sync::Arc;

use store::FlagOp;

use crate::act::{Act, Delivery, Marks, Place, Settled, Uids};
use crate::caller::{Gate, perform};
use crate::content::Contents;
use crate::disk::{Call, Fault, Plan, Planned, SimDisk};
use crate::doubt::{Doubt, End};
use crate::life::{Checkpoints, check, has_failed, open};
use crate::model::Model;
use crate::random::Random;
use crate::shown::look;

const NOW: i64 = 1_795_338_000_000;

fn marks(system: u8, keywords: &[&str]) -> Marks {
    Marks { system, keywords: keywords.iter().map(|k| (*k).to_owned()).collect() }
}

fn inbox(content: u64, accounts: &[u32], remote: &[&str]) -> Delivery {
    let local = accounts.iter().map(|account| (*account, Place::Inbox, marks(0, &[])));
    let remote = remote.iter().map(|text| (*text).to_owned()).collect();
    Delivery { content, local: local.collect(), remote }
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Every kind of act, in groups as concurrent callers form them. Mailboxes 1 to 6 are those of account 1,
/// 7 to 12 those of account 2.
fn scenario() -> Vec<Vec<Act>> {
    let all = || Uids(vec![(1, u32::MAX)]);
    let put = |is_new| Act::PutAlias {
        address: text("x@sim.test"),
        targets: vec![text("y@else.test")],
        is_new,
    };
    vec![
        vec![Act::CreateDomain],
        vec![
            Act::CreateAccount { address: text("u0@sim.test") },
            Act::CreateAccount { address: text("u1@sim.test") },
            put(true),
        ],
        vec![
            Act::Deliver(inbox(1, &[1, 2], &["r0@else.test", "r1@else.test"])),
            // The large one goes through a file, and a second time to no bytes at all.
            Act::Deliver(inbox(47, &[1], &[])),
            Act::Deliver(inbox(47, &[2], &[])),
            Act::Append {
                mailbox: 2,
                messages: vec![(3, marks(1, &["alpha"]), 5), (4, marks(8, &["beta"]), 6)],
            },
        ],
        vec![
            Act::Mark {
                mailbox: 1,
                uids: all(),
                op: FlagOp::Add,
                marks: marks(8, &["gamma"]),
                since: None,
            },
            Act::Copy { from: 1, uids: all(), to: 6, moves: false },
            Act::Copy { from: 7, uids: all(), to: 4, moves: true },
            Act::Expunge { mailbox: 1, uids: None },
            Act::Deliver(inbox(9, &[2, 1], &[])),
        ],
        vec![
            Act::Create { account: 1, name: text("a/b") },
            Act::Rename { account: 1, from: text("a"), to: text("c") },
            Act::Rename { account: 1, from: text("INBOX"), to: text("old") },
            Act::Delete { account: 1, name: text("Archive") },
            Act::Subscribe { account: 2, name: text("z"), on: true },
        ],
        vec![
            Act::Settle {
                id: 1,
                updates: vec![(0, text("r0@else.test"), Settled::Delivered)],
                notice: Some(inbox(12, &[1], &[])),
            },
            Act::Hold { id: 1, on: true },
            Act::SetHostname { hostname: text("box.sim.test") },
            Act::Deliver(inbox(3, &[], &["r3@else.test"])),
            Act::DeleteEntry { id: 1 },
        ],
        vec![
            put(false),
            Act::RenameAccount { account: 1, name: text("N 1") },
            Act::Restore { account: 1, ids: vec![256, 257], into: None },
            Act::DeleteAccount { account: 2 },
            Act::Retry { id: 2 },
            Act::DeleteAlias { address: text("x@sim.test") },
        ],
        vec![Act::RestoreAccount { account: 2 }, Act::DeleteAccount { account: 2 }],
        vec![Act::KeepHouse],
        vec![Act::KeepHouse],
        // Whether it still takes acts.
        vec![Act::SetHostname { hostname: text("last.sim.test") }],
        vec![Act::SetHostname { hostname: text("very-last.sim.test") }],
    ]
}

/// What comes after a restart: it writes into pages of the index that are free again.
fn more() -> Vec<Vec<Act>> {
    let deliver = |content| Act::Deliver(inbox(content, &[1], &[]));
    let groups = 10..26;
    groups.map(|content| vec![deliver(content), deliver(content + 16)]).collect()
}

/// Runs a scenario once.
async fn work(
    disk: &SimDisk,
    contents: &Contents,
    clock: &Arc<Gate>,
    checkpoints: Checkpoints,
    scenario: Vec<Vec<Act>>,
) -> (Vec<(Act, End)>, bool) {
    let Ok(store) = open(disk, clock, checkpoints) else { return (Vec::new(), true) };
    let mut ended = Vec::new();
    for acts in scenario {
        let answers = perform(&store, clock, contents, &acts, acts.len() > 1).await;
        ended.extend(acts.into_iter().zip(answers.into_iter().map(End::of)));
    }
    let has_failed = has_failed(&store);
    // How the closing ends says nothing about acts that were answered.
    drop(store.close().await);
    (ended, has_failed)
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum After {
    /// The store is closed and opened again.
    Stop,
    Kill,
    PowerLoss,
}

/// One run on a disk with a plan, and what is there after it.
async fn one(contents: &Contents, plan: Plan, seed: u64, after: After) -> Result<(), String> {
    let clock = Arc::new(Gate::new(NOW));
    let mut disk = SimDisk::new(Path::new("/data"), Random::new(seed));
    disk.plan(plan);
    let checkpoints =
        if seed.is_multiple_of(3) { Checkpoints::Always } else { Checkpoints::AtTheEnd };
    let (ended, has_failed) = work(&disk, contents, &clock, checkpoints, scenario()).await;
    // One of the last two may have met the fault itself.
    let mut last = ended.iter().rev().take(2);
    let goes_on = ended.is_empty() || !last.all(|(_, end)| matches!(end, End::Unknown(_)));
    let may_stop = plan.off_at.is_some() || plan.fault.is_some_and(|planned| planned.lasts);
    if !goes_on && !has_failed && !may_stop {
        return Err(format!("it neither goes on nor says that it failed: {:?}", ended.last()));
    }
    disk = match after {
        After::Stop => disk,
        After::Kill => disk.kill(),
        After::PowerLoss => disk.crash(),
    };
    disk.plan(Plan::default());
    let store =
        open(&disk, &clock, checkpoints).map_err(|e| format!("it cannot be opened: {e:?}"))?;
    let found = look(&store, contents).map_err(|e| format!("it cannot be read: {e:?}"))?;
    store.close().await.map_err(|e| format!("closing: {e:?}"))?;
    Doubt::new(Model::new(), ended, NOW).settle(&found, contents)?;
    check(&disk)
}

/// The calls of the scenario on a good disk.
fn calls(runtime: &tokio::runtime::Runtime, contents: &Contents) -> Vec<Call> {
    let disk = SimDisk::new(Path::new("/data"), Random::new(0));
    let clock = Arc::new(Gate::new(NOW));
    let (ended, _) =
        runtime.block_on(Box::pin(work(&disk, contents, &clock, Checkpoints::Always, scenario())));
    for (act, end) in &ended {
        assert!(matches!(end, End::Acknowledged(_)), "{act:?} ended {end:?} on a good disk");
    }
    let calls = disk.calls();
    assert!(calls.len() > 100, "only {} calls", calls.len());
    calls
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Every position with a fault of this kind.
fn every_position(fault: Fault) {
    let (runtime, contents) = (runtime(), Contents::new());
    let mut runs = 0;
    for (at, call) in (1..).zip(calls(&runtime, &contents)) {
        if !fault.fits(call) {
            continue;
        }
        for lasts in [false, true] {
            let planned = Planned { fault, at, counts_changes: false, lasts };
            let plan = Plan { fault: Some(planned), ..Plan::default() };
            let after = [After::Stop, After::Kill, After::PowerLoss][runs % 3];
            if let Err(e) = runtime.block_on(Box::pin(one(&contents, plan, at, after))) {
                panic!("{fault:?} at call {at} ({call:?}), lasting: {lasts}, {after:?}: {e}");
            }
            runs += 1;
        }
    }
    println!("{fault:?}: {runs} runs");
}

#[test]
fn the_power_may_go_at_every_call() {
    let (runtime, contents) = (runtime(), Contents::new());
    let changes = calls(&runtime, &contents).into_iter().filter(|call| call.changes());
    for (at, call) in (1..).zip(changes) {
        let plan = Plan { off_at: Some(at), ..Plan::default() };
        for (seed, after) in [(1, After::PowerLoss), (2, After::Kill)] {
            let seed = at << 2 | seed;
            if let Err(e) = runtime.block_on(Box::pin(one(&contents, plan, seed, after))) {
                panic!("{after:?} at change {at} ({call:?}): {e}");
            }
        }
    }
}

#[test]
fn an_error_at_every_call_is_no_false_ok() {
    every_position(Fault::Error);
}

#[test]
fn a_short_write_at_every_call_is_no_false_ok() {
    every_position(Fault::ShortWrite);
}

#[test]
fn no_space_at_every_call_is_no_false_ok() {
    every_position(Fault::NoSpace);
}

#[test]
fn a_lost_sync_at_every_call_is_no_false_ok() {
    every_position(Fault::LostSync);
}

/// A sync of the index fails, the process dies of it and the next one goes on with what the system still
/// shows; then the power goes.
async fn restart_after_lost_sync(contents: &Contents, at: u64, seed: u64) -> Result<(), String> {
    let clock = Arc::new(Gate::new(NOW));
    let disk = SimDisk::new(Path::new("/data"), Random::new(seed));
    let planned = Planned { fault: Fault::LostSync, at, counts_changes: false, lasts: false };
    disk.plan(Plan { fault: Some(planned), ..Plan::default() });
    let (mut ended, _) = work(&disk, contents, &clock, Checkpoints::Always, scenario()).await;
    let disk = disk.kill();
    let store = open(&disk, &clock, Checkpoints::AtTheEnd)
        .map_err(|e| format!("it cannot be opened after the kill: {e:?}"))?;
    for acts in more() {
        let answers = perform(&store, &clock, contents, &acts, true).await;
        ended.extend(acts.into_iter().zip(answers.into_iter().map(End::of)));
    }
    let disk = disk.crash();
    drop(store);
    let store = open(&disk, &clock, Checkpoints::AtTheEnd)
        .map_err(|e| format!("it cannot be opened after the power loss: {e:?}"))?;
    let found = look(&store, contents).map_err(|e| format!("it cannot be read: {e:?}"))?;
    store.close().await.map_err(|e| format!("closing: {e:?}"))?;
    Doubt::new(Model::new(), ended, NOW).settle(&found, contents)?;
    check(&disk)
}

#[test]
fn what_only_the_cache_has_of_the_index_is_not_built_upon() {
    let (runtime, contents) = (runtime(), Contents::new());
    for (at, call) in (1..).zip(calls(&runtime, &contents)) {
        if call != Call::Sync {
            continue;
        }
        for seed in 0..2 {
            let lives = Box::pin(restart_after_lost_sync(&contents, at, at << 8 | seed));
            if let Err(e) = runtime.block_on(lives) {
                panic!("the sync at call {at}, seed {seed}: {e}");
            }
        }
    }
}
