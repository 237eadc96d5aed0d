//! Search: what is asked, within which limits, and its answer as a stream. RFC 4511 §4.5.
//!
//! What takes little work is found at once; beyond that the finding runs off the runtime's threads and ends when its client abandons it, goes away or asked for
//! less time. What was found are numbers of entries; the entries are read as the client takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use directory::{Attributes, Code, Dn, Filter, Refusal};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{LdapOp, LdapResult, LdapSearchScope};
use session::rules::{self, Operation, Role, Target};
use store::EntryId;

use crate::asker::Asker;
use crate::controls::{self, Controls, SortKey};
use crate::finding::List;
use crate::list::{self, Page};
use crate::message::{Control, Search};
use crate::reply::{self, Fail, Kind, refused};
use crate::root;
use crate::seen::Seen;
use crate::select::Selection;
use crate::session::{FLUSH_AT, Session, dn};
use crate::view::{self, Found, Shown};

/// How long the finding may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Entries of one search, and for those who did not bind.
const SIZE_MAX: usize = 10_000;
const SIZE_MAX_GUEST: usize = 500;
/// Entries of a list that is read in pages or slices by who owns the box.
const LIST_MAX: usize = 100_000;

/// Rows and entries that are looked at on the thread that serves the connection: some milliseconds of the
/// slowest box.
const HERE_MAX: usize = 200;

/// What the finding needs.
pub(crate) struct Quest {
    pub(crate) base: Dn,
    pub(crate) scope: LdapSearchScope,
    pub(crate) filter: Filter,
    pub(crate) asker: Asker,
    pub(crate) keys: Vec<SortKey>,
    pub(crate) limit: usize,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) until: Instant,
}

impl Quest {
    /// All that decides what is found, and in which order.
    fn question(&self) -> String {
        let Self { base, scope, filter, asker, keys, limit, stop: _, until: _ } = self;
        format!("{base:?} {scope:?} {filter:?} {asker:?} {keys:?} {limit}")
    }

    /// True as long as somebody waits for the outcome.
    pub(crate) fn may_go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && Instant::now() < self.until
    }
}

/// How a search ends.
type End = (LdapResult, Vec<LdapControl>);

impl Session {
    pub(crate) async fn search(
        &mut self,
        id: i32,
        search: Search,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        let asker = self.asker()?;
        let role = asker.role;
        let controls = Controls::read(controls, Kind::Search)?;
        let filter = search.filter.clone()?;
        let base = dn(&search.base)?;
        let selection = Selection::of(&search.attributes, search.types_only);
        if base.is_root() && search.scope == LdapSearchScope::Base {
            let entry = root::dse(&self.conn, &view::contexts(&self.conn)?);
            let (role, target) = (Role::Anonymous, Target::Server);
            must_hold(&controls, &Seen { dn: &base, attributes: &entry, role, target })?;
            return self.show_own(id, "", &base, &entry, &filter, &selection);
        }
        if root::is_subschema(&base) {
            let is_in = matches!(search.scope, LdapSearchScope::Base | LdapSearchScope::Subtree);
            let filter = if is_in { filter } else { Filter::Or(Vec::new()) };
            let entry = root::subschema();
            let (role, target) = (Role::Anonymous, Target::Server);
            must_hold(&controls, &Seen { dn: &base, attributes: &entry, role, target })?;
            return self.show_own(id, root::SUBSCHEMA, &base, &entry, &filter, &selection);
        }
        if !rules::may(role, Operation::Read, Target::Other) {
            return Err(refused(Code::InsufficientAccessRights, "bind first"));
        }
        if controls.assertion.is_some() {
            let shown = self.entry_of(&base)?;
            let target = asker.target(&shown.entry);
            let mut entry = shown.entry.attributes;
            entry.extend(shown.operational);
            must_hold(&controls, &Seen { dn: &base, attributes: &entry, role, target })?;
        }
        let stop = self.begin(id);
        let quest = Quest {
            base,
            scope: search.scope.clone(),
            filter,
            asker: asker.clone(),
            keys: controls.sort.clone().unwrap_or_default(),
            limit: limit(role, &search, &controls),
            until: Instant::now() + time_limit(&search),
            stop,
        };
        match self.find_and_show(id, &search, quest, &controls, &asker, &selection).await {
            Ok((result, controls)) => self.finish(id, result, controls),
            Err(Fail::Refused(refusal)) => {
                self.finish(id, reply::of_refusal(&refusal), Vec::new());
            }
            Err(fail) => return Err(fail),
        }
        Ok(())
    }

    /// An entry of the server's own: who asks need not be anybody.
    fn show_own(
        &mut self,
        id: i32,
        name: &str,
        dn: &Dn,
        entry: &Attributes,
        filter: &Filter,
        selection: &Selection,
    ) -> Result<(), Fail> {
        if filter.matches(&(dn, entry)) == Some(true) {
            let shown = selection.show(name, &[entry], Role::Anonymous, Target::Server);
            self.say(id, LdapOp::SearchResultEntry(shown), Vec::new());
        }
        self.answer(id, Kind::Search, reply::success());
        Ok(())
    }

    async fn find_and_show(
        &mut self,
        id: i32,
        search: &Search,
        quest: Quest,
        controls: &Controls,
        asker: &Asker,
        selection: &Selection,
    ) -> Result<End, Fail> {
        let stop = quest.stop.clone();
        let what = list::fingerprint(search, &quest.filter, &quest.keys);
        let paged = controls.paged.as_ref();
        let mut page = match paged {
            Some(paged) if !paged.cookie.is_empty() => self.lists.take(&paged.cookie, what)?,
            _ => match self.first_page(quest, controls, asker.role).await? {
                Ok(page) => page,
                Err(end) => return Ok(end),
            },
        };
        let size = paged.map_or(usize::MAX, |paged| usize::try_from(paged.size).unwrap_or(0));
        let ids = page.next(size);
        self.show_all(id, &ids, &stop, asker, selection).await?;
        let mut answers = page.answers.clone();
        let result = match page.code {
            Some(code) if page.is_over() => reply::result(code, ""),
            _ => reply::success(),
        };
        if let Some(paged) = paged {
            // RFC 2696 §3: who asks for none of the rest gives it up.
            let gives_up = paged.size == 0 && !paged.cookie.is_empty();
            let total = page.len();
            let is_last = page.is_over() || gives_up;
            let cookie = if is_last { Vec::new() } else { self.lists.keep(page, what)? };
            let value = controls::paged_value(total, &cookie);
            answers.push(reply::control(controls::PAGED, value));
        }
        Ok((result, answers))
    }

    /// Finds what there is to be shown. `Err` within: it ends here, as an answer.
    async fn first_page(
        &mut self,
        mut quest: Quest,
        controls: &Controls,
        role: Role,
    ) -> Result<Result<Page, End>, Fail> {
        let mut answers = Vec::new();
        if !quest.keys.is_empty() {
            // RFC 2891 §2: what cannot be sorted is refused if that is critical, else not sorted.
            let problem = view::unsortable(&quest.keys, role);
            let code = problem.as_ref().map_or(Code::Success, |(code, _)| *code);
            let name = problem.as_ref().map(|(_, name)| name.as_str());
            answers.push(reply::control(controls::SORTED, controls::sorted_value(code, name)));
            if problem.is_some() && (controls.sort_is_critical || controls.vlv.is_some()) {
                let text = "the entries cannot be sorted so";
                let refusal = Refusal::new(Code::UnavailableCriticalExtension, text);
                return Ok(Err((reply::of_refusal(&refusal), answers)));
            }
            if problem.is_some() {
                quest.keys.clear();
            }
        }
        let Some(slice) = &controls.vlv else {
            return Ok(Ok(Page::first(self.find(quest).await?.found, answers)));
        };
        let list = self.sorted_list(quest).await?;
        let (ids, told) = list::cut(&list.found.ids, list.sorted.as_ref(), slice);
        answers.push(told);
        Ok(Ok(Page::first(Found { ids, code: list.found.code }, answers)))
    }

    async fn find(&mut self, quest: Quest) -> Result<List, Fail> {
        let store = self.conn.ctx().store.clone();
        // What an index answers is found sooner than another thread is woken.
        let little = view::find_little(&store, &quest, HERE_MAX);
        if let Some(list) = self.outcome(little)? {
            return Ok(list);
        }
        let work = self.finding.run(move || view::find(&store, &quest));
        let found = self.wait_for(work).await?;
        found.map_err(|err| reply::of_store(self.conn.session(), &err))
    }

    /// The whole list that slices are cut from: one that is kept, or one that is found and kept.
    async fn sorted_list(&mut self, quest: Quest) -> Result<Arc<List>, Fail> {
        let question = quest.question();
        let generation = self.conn.ctx().store.directory_generation();
        if let Some(list) = self.finding.known(generation, &question) {
            return Ok(list);
        }
        let list = Arc::new(self.find(quest).await?);
        if list.found.code != Some(Code::TimeLimitExceeded) {
            self.finding.keep(generation, question, &list);
        }
        Ok(list)
    }

    /// Writes the entries, as fast as the client takes them.
    async fn show_all(
        &mut self,
        id: i32,
        ids: &[EntryId],
        stop: &AtomicBool,
        asker: &Asker,
        selection: &Selection,
    ) -> Result<(), Fail> {
        let mut rest = ids;
        while !rest.is_empty() && !stop.load(Ordering::Relaxed) {
            rest = self.show_some(id, rest, asker, selection)?;
            if self.conn.pending_out() > FLUSH_AT {
                self.flush_and_look().await?;
            }
        }
        Ok(())
    }

    /// Writes entries until there is enough to be sent; gives those that are left. Nothing of the store is
    /// held while the client is waited for.
    fn show_some<'a>(
        &mut self,
        id: i32,
        ids: &'a [EntryId],
        asker: &Asker,
        selection: &Selection,
    ) -> Result<&'a [EntryId], Fail> {
        let store = self.conn.ctx().store.clone();
        let broken = |session: &Self, err| reply::of_store(session.conn.session(), &err);
        let view = store.directory().map_err(|err| broken(self, err))?;
        let mut rest = ids;
        while let [first, behind @ ..] = rest {
            if self.conn.pending_out() > FLUSH_AT {
                break;
            }
            rest = behind;
            // One that is gone by now was never found.
            let shown = view::shown(&view, *first, selection.wants_operational());
            let Some(shown) = shown.map_err(|err| broken(self, err))? else { continue };
            let entry = shown_to(&shown, asker, selection);
            self.say(id, LdapOp::SearchResultEntry(entry), Vec::new());
        }
        Ok(rest)
    }
}

/// An entry as who asks is shown it.
pub(crate) fn shown_to(
    shown: &Shown,
    asker: &Asker,
    selection: &Selection,
) -> ldap3_proto::proto::LdapSearchResultEntry {
    let target = asker.target(&shown.entry);
    let attributes = [&shown.entry.attributes, &shown.operational];
    selection.show(&shown.entry.written_dn, &attributes, asker.role, target)
}

/// RFC 4528 §3: what is asserted of a search is asserted of its base.
fn must_hold(controls: &Controls, seen: &Seen<'_>) -> Result<(), Fail> {
    match controls.assertion.as_ref().map(|assertion| assertion.matches(seen)) {
        None | Some(Some(true)) => Ok(()),
        Some(_) => Err(refused(Code::AssertionFailed, "")),
    }
}

/// How many entries there may be.
fn limit(role: Role, search: &Search, controls: &Controls) -> usize {
    let is_list = controls.paged.is_some() || controls.vlv.is_some();
    let ours = match role {
        Role::Admin if is_list => LIST_MAX,
        Role::Admin | Role::DomainAdmin | Role::Person => SIZE_MAX,
        Role::Guest | Role::Anonymous => SIZE_MAX_GUEST,
    };
    match usize::try_from(search.size_limit) {
        // A slice has its own size; what it is cut from is as long as it is.
        Ok(theirs) if theirs > 0 && controls.vlv.is_none() => ours.min(theirs),
        _ => ours,
    }
}

fn time_limit(search: &Search) -> Duration {
    match search.time_limit {
        0 => TIME_MAX,
        seconds => TIME_MAX.min(Duration::from_secs(seconds.into())),
    }
}
