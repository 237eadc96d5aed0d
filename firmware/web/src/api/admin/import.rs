//! People and entries from a file: checked by a trial that does all that the import does, then done, at once or,
//! where passwords are to be hashed first, behind the request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base::{Address, hex};
use serde::Deserialize;
use session::rules::{Operation, Role};
use store::{
    AccountState, DirectoryState, ImportOptions, ImportRecord, Imported, Resolution, Store,
    StoreError,
};
use tokio::sync::OwnedSemaphorePermit;

use crate::Web;
use crate::error::ApiError;
use crate::exchange::plan::{self, Office, Planned};
use crate::exchange::{self, Column, Fault, Format};
use crate::guard::{Identity, Person};
use crate::imports::{self, Line, Report};
use crate::input::{File, Params, Segment};
use crate::rules;
use crate::sessions::Who;

/// Records that are written while the request waits; a slow box needs some seconds for them.
const AT_ONCE_MAX: usize = 500;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Existing {
    #[default]
    Skip,
    Update,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    format: Format,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    existing: Existing,
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    domain: String,
}

/// An import with all it needs to go on by itself.
struct Import {
    web: Web,
    by: Identity,
    id: String,
    options: ImportOptions,
    columns: Vec<Column>,
    planned: Vec<Planned>,
    /// What becomes of each record.
    lines: Vec<Line>,
    _turn: OwnedSemaphorePermit,
}

/// The domains that who asks may bring people into.
fn office(web: &Web, by: &Identity, domain: &str) -> Result<Office, ApiError> {
    let domains = web.store().domains()?.into_iter().map(|domain| domain.name);
    let domains: Vec<_> = domains.filter(|domain| by.sees(domain)).collect();
    let default = match domain {
        "" => domains.first().cloned().ok_or_else(|| ApiError::conflict("no-domain"))?,
        name => rules::domain(name).map_err(|problem| problem.at("domain"))?,
    };
    if !domains.contains(&default) {
        let detail = format!("{default} is no domain of this server");
        return Err(ApiError::invalid("domain-unknown").field("domain").detail(detail));
    }
    Ok(Office { domains: domains.into_iter().collect(), default })
}

fn whole(fault: Fault) -> ApiError {
    ApiError::invalid(fault.code).detail(fault.detail)
}

pub(super) async fn run(
    State(web): State<Web>,
    Person(by): Person,
    Params(query): Params<Query>,
    file: File,
) -> Result<Response, ApiError> {
    // What an entry of any kind may hold is the admin's to say.
    if query.format == Format::Ldif && by.role() != Role::Admin {
        return Err(ApiError::forbidden("forbidden").field("format"));
    }
    let Some(turn) = web.imports().begin() else {
        return Err(ApiError::conflict("import-running"));
    };
    // The turn is had before the file comes: no two of sixteen megabytes are in memory.
    let bytes = file.read().await?;
    let office = office(&web, &by, &query.domain)?;
    let (format, most) = (query.format, web.ctx().budget.import_records_max);
    let reading = tokio::task::spawn_blocking(move || {
        let mut parsed = exchange::parse(format, &bytes, most).map_err(whole)?;
        if parsed.records.is_empty() {
            return Err(ApiError::invalid("import-empty"));
        }
        if parsed.records.len() > most {
            let detail = format!("at most {most} records in one file");
            return Err(ApiError::invalid("too-many-records").detail(detail));
        }
        let columns = std::mem::take(&mut parsed.columns);
        Ok((columns, plan::plan(format, parsed, &office)))
    });
    let (columns, mut planned) =
        reading.await.map_err(|_| ApiError::invalid("import-unreadable"))??;
    let updates = query.existing == Existing::Update;
    refuse_foreign(&web, &by, updates, &mut planned)?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| ApiError::busy())?;
    let import = Import {
        web,
        by,
        id: hex::encode(&id),
        options: ImportOptions { updates, is_partial: query.partial, is_trial: false },
        columns,
        planned,
        lines: Vec::new(),
        _turn: turn,
    };
    import.answer(query.dry_run).await
}

/// Refuses the records that are not theirs who ask.
fn refuse_foreign(
    web: &Web,
    by: &Identity,
    updates: bool,
    planned: &mut [Planned],
) -> Result<(), ApiError> {
    let view = web.store().directory()?;
    for planned in planned {
        let Ok(record) = &mut planned.record else { continue };
        forget_same_role(by, &view.state(), record)?;
        if !may_import(by, &view.state(), updates, record)? {
            planned.record = Err(Fault::new("forbidden", "this is not yours to give or to change"));
        }
    }
    Ok(())
}

/// An export says everybody's role: what stays as it is gives nothing.
fn forget_same_role(
    by: &Identity,
    state: &DirectoryState<'_>,
    record: &mut ImportRecord,
) -> Result<(), StoreError> {
    if let ImportRecord::Person { address, change, .. } = record
        && by.role() != Role::Admin
    {
        let role = state.account_by_address(address)?.map(|account| account.is_admin);
        change.is_admin = change.is_admin.filter(|is_admin| role != Some(*is_admin));
    }
    Ok(())
}

/// Whether a record is theirs who ask: no people with more rights, no rights for people, no addresses of
/// others.
fn may_import(
    by: &Identity,
    state: &DirectoryState<'_>,
    updates: bool,
    record: &ImportRecord,
) -> Result<bool, StoreError> {
    if by.role() == Role::Admin {
        return Ok(true);
    }
    match record {
        ImportRecord::Person { address, change, .. } => {
            Ok(match state.account_by_address(address)?.filter(|_| updates) {
                Some(account) => {
                    by.must_reach(&account, Operation::Modify).is_ok()
                        && by.must_change(&account, change).is_ok()
                }
                // New, or left alone.
                None => by.sees(address.domain()) && change.is_admin != Some(true),
            })
        }
        ImportRecord::Entry { attributes, .. } => {
            let mail = attributes.get("mail").into_iter().flatten();
            let mail =
                mail.filter_map(|value| Address::parse(std::str::from_utf8(value).ok()?).ok());
            let mut others = mail.map(|address| state.resolve(&address));
            others.try_fold(true, |all, found| Ok(all && found? == Resolution::NotLocal))
        }
    }
}

/// Only who began an import sees what became of it: the id is told to nobody else.
pub(super) async fn show(
    State(web): State<Web>,
    Segment(id): Segment<String>,
) -> Result<Json<Report>, ApiError> {
    web.imports().find(&id).map(Json).ok_or_else(ApiError::not_found)
}

impl Import {
    async fn answer(mut self, is_dry: bool) -> Result<Response, ApiError> {
        self.act(true).await?;
        let has_errors = self.lines.iter().any(|line| line.action == "error");
        if is_dry || (has_errors && !self.options.is_partial) {
            let state = if is_dry { imports::State::Checked } else { imports::State::Refused };
            return Ok(Json(self.report(state)).into_response());
        }
        let to_hash = self.to_hash();
        if to_hash.is_empty() && self.planned.len() <= AT_ONCE_MAX {
            let state = self.write().await?;
            return Ok(Json(self.report(state)).into_response());
        }
        let report = Report { total: to_hash.len(), ..self.report(imports::State::Running) };
        self.web.imports().put(report.clone());
        // It keeps its turn; the daemon's end ends it, with nothing changed.
        tokio::spawn(self.go_on(to_hash));
        Ok((StatusCode::ACCEPTED, Json(report)).into_response())
    }

    /// The records whose clear passwords will be stored.
    fn to_hash(&self) -> Vec<usize> {
        let records = self.planned.iter().zip(&self.lines).enumerate();
        let is_written = |line: &Line| matches!(line.action, "create" | "update");
        let wanted = records.filter(|(_, (planned, line))| {
            planned.password.is_some() && planned.record.is_ok() && is_written(line)
        });
        wanted.map(|(at, _)| at).collect()
    }

    async fn go_on(mut self, to_hash: Vec<usize>) {
        let total = to_hash.len();
        let (state, error) = match self.hash_and_write(to_hash).await {
            Ok(state) => (state, None),
            Err(error) => (imports::State::Failed, Some(error)),
        };
        tracing::info!(import = self.id, ?state, records = self.planned.len(), "import ended");
        let report = Report { done: total, total, error, ..self.report(state) };
        self.web.imports().put(report);
    }

    async fn hash_and_write(
        &mut self,
        to_hash: Vec<usize>,
    ) -> Result<imports::State, &'static str> {
        for at in to_hash {
            let Some(planned) = self.planned.get_mut(at) else { continue };
            let Some(clear) = planned.password.take() else { continue };
            // One after the other: who signs in meanwhile waits for one hash, not for thousands.
            let record = Box::pin(self.web.ctx().auth.hash(&clear)).await.map_err(|_| "busy")?;
            if let Ok(record_of) = &mut planned.record {
                put_hash(record_of, &record);
            }
            self.web.imports().step();
        }
        self.write().await.map_err(|err| err.code())
    }

    /// The real act. What changed since the trial is told as its lines' errors: that was minutes ago where
    /// passwords were hashed, and rights may be others now.
    async fn write(&mut self) -> Result<imports::State, ApiError> {
        let now = self.by.renewed(&self.web.store().directory()?.state())?;
        let by = now.ok_or_else(|| ApiError::forbidden("forbidden"))?;
        refuse_foreign(&self.web, &by, self.options.updates, &mut self.planned)?;
        let is_refused = self.planned.iter().any(|planned| planned.record.is_err());
        let is_written = self.act(is_refused && !self.options.is_partial).await?;
        Ok(if is_written { imports::State::Done } else { imports::State::Refused })
    }

    /// Asks the store, as a trial or in earnest, and notes what it says; true if it was done.
    async fn act(&mut self, is_trial: bool) -> Result<bool, ApiError> {
        let good = self.planned.iter().filter_map(|planned| planned.record.as_ref().ok());
        let records: Arc<Vec<ImportRecord>> = Arc::new(good.cloned().collect());
        let options = ImportOptions { is_trial, ..self.options };
        let acted = self
            .store(&records, is_trial)
            .import(Arc::clone(&records), options, String::new())
            .await?;
        if acted.is_written {
            let done = acted.outcomes.iter().zip(records.iter());
            done.for_each(|(outcome, record)| self.sign_out(outcome, record));
        }
        let mut outcomes = acted.outcomes.into_iter();
        let line = |planned: &Planned| {
            let outcome = match &planned.record {
                Err(fault) => Err(fault.clone()),
                Ok(_) => outcomes.next().unwrap_or(Ok(Imported::Skipped)).map_err(fault_of),
            };
            line_of(planned, outcome)
        };
        self.lines = self.planned.iter().map(line).collect();
        Ok(acted.is_written)
    }

    /// The store for these records; a trial does nothing that would be judged.
    fn store(&self, records: &Arc<Vec<ImportRecord>>, is_trial: bool) -> Store {
        if is_trial {
            return self.web.store().by(self.by.origin());
        }
        let (asked, updates, role) = (Arc::clone(records), self.options.updates, self.by.role());
        self.by.judged(&self.web, move |by, state| {
            for record in asked.iter() {
                // What an entry of any kind may hold was the admin's to say.
                if by.role() < role || !may_import(by, state, updates, record)? {
                    return Err(StoreError::Forbidden(String::new()));
                }
            }
            Ok(())
        })
    }

    /// Whose password or state changed is signed out.
    fn sign_out(&self, outcome: &Result<Imported, StoreError>, record: &ImportRecord) {
        let Ok(Imported::Updated(Some(id))) = outcome else { return };
        let is_shut = match record {
            ImportRecord::Person { change, .. } => {
                change.password_hash.is_some()
                    || change.state.is_some_and(|state| state != AccountState::Active)
            }
            ImportRecord::Entry { attributes, .. } => {
                attributes.contains_key("userpassword") || attributes.contains_key("postroomstatus")
            }
        };
        if is_shut {
            self.web.sign_out(Who::Account(*id), None);
        }
    }

    fn report(&self, state: imports::State) -> Report {
        Report::new(self.id.clone(), state, self.columns.clone(), self.lines.clone())
    }
}

/// Puts what the hasher gave: the PHC string and behind a space the verifier of SCRAM.
fn put_hash(record: &mut ImportRecord, hash: &str) {
    match record {
        ImportRecord::Person { change, .. } => change.password_hash = Some(hash.to_owned()),
        ImportRecord::Entry { attributes, .. } => {
            let (phc, verifier) = hash.split_once(' ').unwrap_or((hash, ""));
            let stored = format!("{}{phc}", plan::PLACEHOLDER).into_bytes();
            attributes.insert("userpassword".to_owned(), vec![stored]);
            if !verifier.is_empty() {
                attributes.insert("authpassword".to_owned(), vec![verifier.as_bytes().to_vec()]);
            }
        }
    }
}

fn line_of(planned: &Planned, outcome: Result<Imported, Fault>) -> Line {
    let mut line = Line {
        line: planned.line,
        action: "error",
        address: planned.address.clone(),
        name: planned.name.clone(),
        error: None,
        field: None,
        detail: None,
    };
    match outcome {
        Ok(Imported::Created(_)) => line.action = "create",
        Ok(Imported::Updated(_)) => line.action = "update",
        Ok(Imported::Skipped) => line.action = "skip",
        Err(fault) => {
            line.error = Some(fault.code);
            line.field = fault.field;
            line.detail = (!fault.detail.is_empty()).then_some(fault.detail);
        }
    }
    line
}

/// What the store says of one record.
fn fault_of(err: StoreError) -> Fault {
    match err {
        StoreError::AddressTaken(address) => Fault::new("address-taken", address),
        StoreError::NoSuchDomain => Fault::new("domain-unknown", ""),
        StoreError::Exists => Fault::new("exists", ""),
        StoreError::LimitReached(what) => Fault::new("limit-reached", what),
        StoreError::Vetoed(text) => Fault::new("refused-by-webhook", text),
        StoreError::Refused(refusal) => {
            let detail = format!("{}: {}", refusal.code.name(), refusal.text);
            Fault::new("entry-refused", detail)
        }
        err => {
            let err: &dyn std::error::Error = &err;
            tracing::error!(err, "a record could not be imported");
            Fault::new("internal", "")
        }
    }
}
