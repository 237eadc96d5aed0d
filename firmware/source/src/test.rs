//! The test button: the whole way, step by step, without changing anything.

use std::sync::{Arc, PoisonError};

use base::DomainName;
use serde::Serialize;
use store::SourceSettings;

use crate::client::Raw;
use crate::connect;
use crate::failure::{Failure, Reason, Stage};
use crate::person::{self, Unfit};
use crate::read;
use crate::settings::Effective;
use crate::sources::Lookup;
use crate::tls::Shown;

/// People that are looked at: one page.
const LOOKED_MAX: usize = 500;
/// People that are shown.
const SAMPLES: usize = 5;

/// What the test found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestReport {
    /// All went well.
    pub ok: bool,
    /// The step that failed, or the last.
    pub stage: Stage,
    /// Why.
    pub reason: Reason,
    /// English.
    pub detail: String,
    /// People found, at most the first 500.
    pub found: usize,
    /// SHA-256 of the certificate that the server showed.
    pub certificate_sha256: Option<String>,
    /// The first of them.
    pub sample: Vec<Sample>,
}

/// A person as he would come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Name there.
    pub dn: String,
    /// What he is called.
    pub name: String,
    /// Primary address.
    pub address: Option<String>,
    /// Further addresses.
    pub addresses: Vec<String>,
    /// May not log in.
    pub disabled: bool,
    /// Why he would not come.
    pub error: Option<&'static str>,
}

/// Tries the settings.
pub(crate) async fn run(
    settings: &SourceSettings,
    lookup: &Lookup,
    domain: &DomainName,
    domains: &[DomainName],
) -> TestReport {
    let shown: Shown = Arc::default();
    let effective = Effective::of(settings);
    let outcome = people(settings, lookup, &shown, &effective).await;
    let certificate_sha256 = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (found, outcome) = match outcome {
        Ok(found) => {
            let outcome = judge(&found, &effective, domain, domains);
            (found, outcome)
        }
        Err(failure) => (Vec::new(), Err(failure)),
    };
    let sample = found.iter().take(SAMPLES);
    let sample = sample.map(|raw| sample_of(raw, &effective, domain, domains)).collect();
    let (stage, reason, detail) = match outcome {
        Ok(detail) => (Stage::Attributes, Reason::Ok, detail),
        Err(failure) => (failure.stage, failure.reason, failure.detail),
    };
    let ok = reason == Reason::Ok;
    TestReport { ok, stage, reason, detail, found: found.len(), certificate_sha256, sample }
}

async fn people(
    settings: &SourceSettings,
    lookup: &Lookup,
    shown: &Shown,
    effective: &Effective,
) -> Result<Vec<Raw>, Failure> {
    let mut client = connect::open(settings, lookup, shown).await?;
    let password = settings.bind_password.clone().unwrap_or_default();
    client.bind(&settings.bind_dn, password.as_bytes()).await?;
    read::base(&mut client, settings).await?;
    read::people(&mut client, settings, effective, LOOKED_MAX, false).await
}

/// True if what was found can be people here.
fn judge(
    found: &[Raw],
    effective: &Effective,
    domain: &DomainName,
    domains: &[DomainName],
) -> Result<String, Failure> {
    if found.is_empty() {
        let detail = format!("no entry fits {}", effective.filter);
        return Err(Failure::new(Stage::Search, Reason::NoEntries, detail));
    }
    let outcomes: Vec<Result<(), Unfit>> =
        found.iter().map(|raw| person::person(raw, effective, domain, domains).map(drop)).collect();
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let good = count(Ok(()));
    let (no_id, no_address) = (count(Err(Unfit::NoId)), count(Err(Unfit::NoAddress)));
    let detail = format!(
        "{} people found: {good} would come, {no_address} have no address in a domain of the box, {no_id} no lasting id",
        found.len()
    );
    let reason = match (good, no_id) {
        (0, 0) => Reason::NoAddress,
        (0, _) => Reason::NoId,
        _ => return Ok(detail),
    };
    Err(Failure::new(Stage::Attributes, reason, detail))
}

fn sample_of(
    raw: &Raw,
    effective: &Effective,
    domain: &DomainName,
    domains: &[DomainName],
) -> Sample {
    let name = raw.texts(effective, "name").next().unwrap_or_default().to_owned();
    let known = person::person(raw, effective, domain, domains);
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    let (mut address, mut addresses, mut disabled) = (None, Vec::new(), false);
    if let Ok(person) = &known {
        let values = |key: &str| person.attributes.get(key).map(Vec::as_slice).unwrap_or_default();
        address = values("mail").first().map(text);
        addresses = values("maillocaladdress").iter().map(text).collect();
        disabled = person.state.is_some();
    }
    let error = known.err().map(|unfit| match unfit {
        Unfit::NoId => "no-id",
        Unfit::NoAddress => "no-address",
    });
    Sample { dn: raw.dn.clone(), name, address, addresses, disabled, error }
}
