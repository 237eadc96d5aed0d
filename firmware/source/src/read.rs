//! All that stands in a source: people and groups as they came, with the values that Active Directory gives
//! in ranges (MS-ADTS 3.1.1.3.1.3.3) fetched to the end.
//!
//! Limits: people, groups and members as the tier says, 20,000 values in ranges.

use base::TierBudget;
use directory::Filter;
use store::SourceSettings;

use crate::client::{Client, Raw, Scope, Search};
use crate::failure::{Failure, Reason, Stage};
use crate::person::id_value;
use crate::settings::Effective;

/// Values of one attribute that come in ranges: what an entry of ours may have.
const RANGED_MAX: usize = directory::validate::VALUES_MAX;

/// What stands there.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) people: Vec<Raw>,
    pub(crate) groups: Vec<Raw>,
}

/// The words that are asked of people.
const OF_PEOPLE: [&str; 15] = [
    "id",
    "login",
    "name",
    "given_name",
    "surname",
    "address",
    "addresses",
    "principal",
    "telephone",
    "mobile",
    "title",
    "department",
    "organization",
    "location",
    "disabled",
];
const OF_GROUPS: [&str; 4] = ["id", "group_name", "group_member", "group_address"];

fn names(effective: &Effective, words: &[&str]) -> Vec<String> {
    let names = words.iter().flat_map(|word| effective.names(word));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn parse(filter: &str) -> Result<Filter, Failure> {
    Filter::parse(filter).map_err(|refusal| {
        Failure::new(Stage::Search, Reason::SearchFailed, format!("{filter}: {}", refusal.text))
    })
}

/// Looks whether the base is there.
pub(crate) async fn base(client: &mut Client, settings: &SourceSettings) -> Result<(), Failure> {
    let filter = Filter::Present("objectClass".to_owned());
    let attributes = ["1.1".to_owned()];
    let search = Search {
        base: &settings.base,
        scope: Scope::Base,
        filter: &filter,
        attributes: &attributes,
        stage: Stage::Base,
    };
    client.search(&search, &mut |_| Ok(true)).await
}

/// People, at most `max`; more is a failure if they are all wanted.
pub(crate) async fn people(
    client: &mut Client,
    settings: &SourceSettings,
    effective: &Effective,
    max: usize,
    is_all_wanted: bool,
) -> Result<Vec<Raw>, Failure> {
    let attributes = names(effective, &OF_PEOPLE);
    let filter = parse(&effective.filter)?;
    entries(client, settings, &filter, &attributes, max, is_all_wanted).await
}

/// The one of the people who has this lasting id, wherever he stands by now.
pub(crate) async fn person(
    client: &mut Client,
    settings: &SourceSettings,
    effective: &Effective,
    id: &str,
) -> Result<Option<Raw>, Failure> {
    let ids = effective.names("id").map(|name| {
        let (attribute, value) = (name.to_owned(), id_value(name, id));
        Filter::Equal { attribute, value }
    });
    let filter = Filter::And(vec![parse(&effective.filter)?, Filter::Or(ids.collect())]);
    let attributes = names(effective, &OF_PEOPLE);
    let found = entries(client, settings, &filter, &attributes, 2, false).await?;
    // What counts as equal there may be more than what does here.
    Ok(found.into_iter().find(|raw| raw.id(effective).as_deref() == Some(id)))
}

/// Groups, with all their members.
pub(crate) async fn groups(
    client: &mut Client,
    settings: &SourceSettings,
    effective: &Effective,
    budget: &TierBudget,
) -> Result<Vec<Raw>, Failure> {
    if effective.group_filter.is_empty() {
        return Ok(Vec::new());
    }
    let attributes = names(effective, &OF_GROUPS);
    let filter = parse(&effective.group_filter)?;
    let mut groups =
        entries(client, settings, &filter, &attributes, budget.source_groups_max, true).await?;
    let mut members = 0;
    for group in &mut groups {
        complete(client, group).await?;
        members += group.attributes.values().map(Vec::len).sum::<usize>();
        if members > budget.source_members_max {
            let most = budget.source_members_max;
            let detail = format!("the groups have more than {most} members");
            return Err(Failure::new(Stage::Search, Reason::TooManyEntries, detail));
        }
    }
    Ok(groups)
}

async fn entries(
    client: &mut Client,
    settings: &SourceSettings,
    filter: &Filter,
    attributes: &[String],
    max: usize,
    is_all_wanted: bool,
) -> Result<Vec<Raw>, Failure> {
    let search = Search {
        base: &settings.base,
        scope: Scope::Subtree,
        filter,
        attributes,
        stage: Stage::Search,
    };
    let mut found = Vec::new();
    let mut take = |raw| {
        if found.len() < max {
            found.push(raw);
            return Ok(true);
        }
        if is_all_wanted {
            let detail = format!("there are more than {max} entries");
            return Err(Failure::new(Stage::Search, Reason::TooManyEntries, detail));
        }
        Ok(false)
    };
    client.search(&search, &mut take).await?;
    Ok(found)
}

/// `member;range=0-1499` as name, and where the next range begins; `None` if it was the last.
pub(crate) fn range_of(key: &str) -> Option<(&str, Option<usize>)> {
    let (name, range) = key.split_once(";range=")?;
    let (_, last) = range.split_once('-')?;
    if last == "*" {
        return Some((name, None));
    }
    Some((name, Some(last.parse::<usize>().ok()?.checked_add(1)?)))
}

/// Fetches what is left of values in ranges.
async fn complete(client: &mut Client, raw: &mut Raw) -> Result<(), Failure> {
    let filter = Filter::Present("objectClass".to_owned());
    while let Some(key) = raw.attributes.keys().find(|key| range_of(key).is_some()).cloned() {
        let Some((name, next)) = range_of(&key) else { return Ok(()) };
        let part = raw.attributes.remove(&key).unwrap_or_default();
        let known = raw.attributes.entry(name.to_owned()).or_default();
        let is_empty = part.is_empty();
        known.extend(part);
        if known.len() > RANGED_MAX {
            let detail = format!("{} has more than {RANGED_MAX} values of {name}", raw.dn);
            return Err(Failure::new(Stage::Search, Reason::TooManyEntries, detail));
        }
        let Some(next) = next.filter(|_| !is_empty) else { continue };
        let attributes = [format!("{name};range={next}-*")];
        let search = Search {
            base: &raw.dn,
            scope: Scope::Base,
            filter: &filter,
            attributes: &attributes,
            stage: Stage::Search,
        };
        let mut more = Raw::default();
        client
            .search(&search, &mut |raw| {
                more = raw;
                Ok(true)
            })
            .await?;
        raw.attributes
            .extend(more.attributes.into_iter().filter(|(key, _)| range_of(key).is_some()));
    }
    Ok(())
}
