//! Lists page by page: the API gives at most some hundred items at once and says where it goes on.

use clap::Args;
use serde_json::Value;

use crate::call::Call;
use crate::client::Client;
use crate::failure::Failure;

/// Items that are asked for at once: what the server gives at most.
const PAGE: u64 = 500;

/// How much of a list.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Limit {
    /// At most so many; without it all of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A list that is read to its end, a page in memory at a time.
#[derive(Debug)]
pub(crate) struct Pages {
    call: Call,
    /// The name in the query that `next` of a page is the value of; none: the list is one page.
    turned_by: Option<&'static str>,
    next: Option<Value>,
    left: Option<u64>,
    is_over: bool,
}

impl From<Call> for Pages {
    /// A list that the server gives whole.
    fn from(call: Call) -> Self {
        Self { call, turned_by: None, next: None, left: None, is_over: false }
    }
}

impl Pages {
    /// A list in pages, `turned_by` the one before.
    pub(crate) fn turned_by(turned_by: &'static str, call: Call) -> Self {
        Self { turned_by: Some(turned_by), ..call.into() }
    }

    /// The same, but not from its start.
    pub(crate) fn starting(self, start: Option<u64>) -> Self {
        Self { next: start.map(Value::from), ..self }
    }

    /// The same up to a limit.
    pub(crate) fn up_to(self, limit: Limit) -> Self {
        Self { left: limit.limit, ..self }
    }

    /// The next page: its items, and what else the server says of the list. `None` behind the last.
    pub(crate) async fn page(
        &mut self,
        client: &mut Client,
    ) -> Result<Option<(Vec<Value>, Value)>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        let mut call = self.call.clone();
        if let Some(name) = self.turned_by {
            let limit = self.left.map_or(PAGE, |left| left.min(PAGE));
            let next = self.next.take().map(|next| match next {
                Value::String(text) => text,
                other => other.to_string(),
            });
            call = call.with("limit", Some(limit)).with(name, next);
        }
        let mut answer = client.ask(call).await?;
        let mut items = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        if let Some(left) = &mut self.left {
            items.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= u64::try_from(items.len()).unwrap_or(*left).min(*left);
        }
        self.next = answer.get("next").filter(|next| !next.is_null()).cloned();
        self.is_over = self.next.is_none() || self.turned_by.is_none() || self.left == Some(0);
        Ok(Some((items, answer)))
    }
}
