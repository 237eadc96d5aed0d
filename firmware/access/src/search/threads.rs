//! Threads. RFC 5256 §3, BASE.6.4.THREAD: ORDEREDSUBJECT and REFERENCES.
//!
//! Messages come in the order of their numbers; of each only its date and numbers for its ids and its
//! subject stay. Limits: [`REFERENCES_MAX`] references of a message, the nearest; [`DUMMIES_MAX`] ids that
//! no message has, what comes later is not used as a link.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use message::MailHeader;

use super::subject::base_subject;

const REFERENCES_MAX: usize = 200;
const DUMMIES_MAX: usize = 500_000;

/// No node.
const NIL: u32 = u32::MAX;

/// What is known of a message, or of an id that no message has (`uid` 0).
#[derive(Clone, Copy, Debug)]
struct Node {
    uid: u32,
    parent: u32,
    /// First child and next sibling.
    child: u32,
    next: u32,
    is_reply: bool,
    /// 0: there is none.
    subject: u64,
    secs: i64,
}

impl Node {
    const DUMMY: Self =
        Self { uid: 0, parent: NIL, child: NIL, next: NIL, is_reply: false, subject: 0, secs: 0 };
}

/// What a message brings to its thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) uid: u32,
    /// Sent date, seconds.
    pub(crate) secs: i64,
    /// Numbers that stand for ids and the subject; 0 is none.
    pub(crate) id: u64,
    pub(crate) references: Vec<u64>,
    pub(crate) subject: u64,
    pub(crate) is_reply: bool,
}

/// Turns ids and subjects into numbers. Keyed, so that nobody can make two of them equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(RandomState);

impl Numbers {
    fn of(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes).max(1)
    }

    /// What the stored fields of a message say.
    pub(crate) fn links(
        &self,
        uid: u32,
        secs: i64,
        mail: &MailHeader,
        with_references: bool,
    ) -> Links {
        let base = base_subject(mail.subject.as_deref().unwrap_or_default());
        let subject = if base.text.is_empty() { 0 } else { self.of(&base.text) };
        let mut links = Links { uid, secs, subject, is_reply: base.is_reply, ..Links::default() };
        if with_references {
            links.id = ids_in(&mail.message_id).next().map_or(0, |id| self.of(&id));
            links.references = ids_in(&mail.references).map(|id| self.of(&id)).collect();
            if links.references.is_empty() {
                links.references =
                    ids_in(&mail.in_reply_to).take(1).map(|id| self.of(&id)).collect();
            }
            let surplus = links.references.len().saturating_sub(REFERENCES_MAX);
            links.references.drain(..surplus);
        }
        links
    }
}

fn ids_in(field: &Option<String>) -> impl Iterator<Item = Vec<u8>> + '_ {
    message_ids(field.as_deref().unwrap_or_default())
}

/// The message ids in a text, quotes and escapes undone (RFC 5256 §3: `<"a"@b>` is `<a@b>`).
fn message_ids(text: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        loop {
            let start = memchr::memchr(b'<', rest)? + 1;
            rest = rest.get(start..)?;
            let mut id = Vec::new();
            let mut is_quoted = false;
            let mut end = None;
            let mut at = 0;
            while let Some(&byte) = rest.get(at) {
                at += 1;
                match byte {
                    b'"' => is_quoted = !is_quoted,
                    b'\\' if is_quoted => {
                        id.extend(rest.get(at));
                        at += 1;
                    }
                    b'>' if !is_quoted => {
                        end = Some(at);
                        break;
                    }
                    b' ' | b'\t' if !is_quoted => {}
                    b'<' if !is_quoted => break,
                    _ => id.push(byte),
                }
            }
            let Some(end) = end else {
                // An opening bracket that nothing closes: what follows may hold another.
                continue;
            };
            rest = rest.get(end..).unwrap_or_default();
            if id.contains(&b'@') {
                return Some(id);
            }
        }
    })
}

/// Threads in the making.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    nodes: Vec<Node>,
    by_id: BTreeMap<u64, u32>,
    dummies: usize,
}

/// Finished threads: a forest whose roots are in order.
#[derive(Debug, Default)]
pub(crate) struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
}

impl Threads {
    fn push(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        u32::try_from(self.nodes.len() - 1).unwrap_or(NIL)
    }

    fn node(&self, at: u32) -> Node {
        self.nodes.get(at as usize).copied().unwrap_or(Node::DUMMY)
    }

    fn change(&mut self, at: u32, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            change(node);
        }
    }

    /// True if `above` is `at` or one of its ancestors.
    fn is_above(&self, above: u32, mut at: u32) -> bool {
        while at != NIL {
            if at == above {
                return true;
            }
            at = self.node(at).parent;
        }
        false
    }

    /// Takes a message; they come by ascending number. ORDEREDSUBJECT: `references` are not asked for.
    pub(crate) fn add(&mut self, links: &Links) {
        let message = Node {
            uid: links.uid,
            secs: links.secs,
            subject: links.subject,
            is_reply: links.is_reply,
            ..Node::DUMMY
        };
        // Of several messages with one id the first has it, the others are alone with theirs.
        let known = self.by_id.get(&links.id).copied().filter(|_| links.id != 0);
        let was_named = known.is_some_and(|at| self.node(at).uid == 0);
        let me = match known {
            Some(at) if was_named => {
                self.change(at, |node| {
                    *node = Node { parent: node.parent, ..message };
                });
                self.dummies = self.dummies.saturating_sub(1);
                at
            }
            other => {
                let at = self.push(message);
                if other.is_none() && links.id != 0 {
                    self.by_id.insert(links.id, at);
                }
                at
            }
        };
        // Step 1.A.
        let mut last = NIL;
        for &id in &links.references {
            let at = match self.by_id.get(&id) {
                Some(&at) => at,
                None if self.dummies < DUMMIES_MAX => {
                    self.dummies += 1;
                    let at = self.push(Node::DUMMY);
                    self.by_id.insert(id, at);
                    at
                }
                None => continue,
            };
            if last != NIL && self.node(at).parent == NIL && !self.is_above(at, last) {
                self.change(at, |node| node.parent = last);
            }
            last = at;
        }
        // Step 1.B. What nobody has named is above nothing: a long thread is not walked for each of its
        // messages.
        self.change(me, |node| node.parent = NIL);
        let was_named = was_named || links.references.contains(&links.id);
        if !(was_named && self.is_above(me, last)) {
            self.change(me, |node| node.parent = last);
        }
    }

    /// Step 2: children know their siblings, in the order of the nodes.
    fn link_children(&mut self) -> Vec<u32> {
        let mut roots = Vec::new();
        for at in (0..u32::try_from(self.nodes.len()).unwrap_or(NIL)).rev() {
            let parent = self.node(at).parent;
            if parent == NIL {
                roots.push(at);
            } else {
                let next = self.node(parent).child;
                self.change(at, |node| node.next = next);
                self.change(parent, |node| node.child = at);
            }
        }
        roots.reverse();
        roots
    }

    fn children(&self, at: u32) -> Vec<u32> {
        let mut children = Vec::new();
        let mut child = self.node(at).child;
        while child != NIL {
            children.push(child);
            child = self.node(child).next;
        }
        children
    }

    fn set_children(&mut self, at: u32, children: &[u32]) {
        let mut next = NIL;
        for &child in children.iter().rev() {
            self.change(child, |node| (node.parent, node.next) = (at, next));
            next = child;
        }
        self.change(at, |node| node.child = next);
    }

    /// All nodes below the roots, children before their parents.
    fn leaves_first(&self, roots: &[u32]) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut open: Vec<u32> = roots.to_vec();
        while let Some(at) = open.pop() {
            order.push(at);
            open.extend(self.children(at));
        }
        order.reverse();
        order
    }

    /// Step 3: dummies go, their children take their place; at the top only if there is one child.
    fn prune(&mut self, roots: &[u32]) -> Vec<u32> {
        for at in self.leaves_first(roots) {
            let children = self.children(at);
            if children.iter().all(|child| self.node(*child).uid != 0) {
                continue;
            }
            let mut kept = Vec::with_capacity(children.len());
            for child in children {
                if self.node(child).uid == 0 {
                    kept.extend(self.children(child));
                } else {
                    kept.push(child);
                }
            }
            self.set_children(at, &kept);
        }
        let mut tops = Vec::with_capacity(roots.len());
        for &root in roots {
            let children = self.children(root);
            match (self.node(root).uid, children.as_slice()) {
                (0, []) => {}
                (0, [only]) => {
                    self.change(*only, |node| (node.parent, node.next) = (NIL, NIL));
                    tops.push(*only);
                }
                _ => tops.push(root),
            }
        }
        tops
    }

    /// What a node is sorted by: its date, a dummy's first child's; then its number.
    fn order(&self, at: u32) -> (i64, u32) {
        let node = self.node(at);
        let shown = if node.uid == 0 { self.node(node.child) } else { node };
        (shown.secs, shown.uid)
    }

    fn sort_children(&mut self, at: u32) {
        let mut children = self.children(at);
        if children.len() > 1 {
            children.sort_by_key(|child| self.order(*child));
            self.set_children(at, &children);
        }
    }

    /// Step 4.
    fn sort_roots(&mut self, roots: &mut [u32]) {
        for &root in roots.iter() {
            if self.node(root).uid == 0 {
                self.sort_children(root);
            }
        }
        roots.sort_by_key(|root| self.order(*root));
    }

    fn subject(&self, at: u32) -> u64 {
        let node = self.node(at);
        if node.uid == 0 { self.node(node.child).subject } else { node.subject }
    }

    /// Step 5.B: for each subject the thread that others of that subject join.
    fn subject_table(&self, roots: &[u32]) -> BTreeMap<u64, u32> {
        let mut table = BTreeMap::new();
        for &root in roots {
            let subject = self.subject(root);
            if subject == 0 {
                continue;
            }
            table
                .entry(subject)
                .and_modify(|known| {
                    let (old, new) = (self.node(*known), self.node(root));
                    let is_better = new.uid == 0 || (old.is_reply && !new.is_reply);
                    if old.uid != 0 && is_better {
                        *known = root;
                    }
                })
                .or_insert(root);
        }
        table
    }

    /// Step 5.C.
    fn merge_subjects(&mut self, roots: &[u32]) -> Vec<u32> {
        let mut table = self.subject_table(roots);
        // What joins a thread is collected first: a thread of many would be walked for each of them.
        let mut joining: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut replaced: BTreeMap<u32, u32> = BTreeMap::new();
        let mut gone = vec![false; self.nodes.len()];
        let mut go = |at: u32| {
            if let Some(gone) = gone.get_mut(at as usize) {
                *gone = true;
            }
        };
        for &root in roots {
            let subject = self.subject(root);
            let Some(&first) = table.get(&subject).filter(|_| subject != 0) else { continue };
            if first == root || replaced.get(&root) == Some(&first) {
                continue;
            }
            let (old, new) = (self.node(first), self.node(root));
            if old.uid == 0 && new.uid == 0 {
                joining.entry(first).or_default().extend(self.children(root));
                go(root);
            } else if old.uid == 0 || (new.is_reply && !old.is_reply) {
                joining.entry(first).or_default().push(root);
                go(root);
            } else {
                let dummy = self.push(Node { subject, ..Node::DUMMY });
                // The dummy stands where its first child stood.
                replaced.insert(first, dummy);
                joining.entry(dummy).or_default().extend([first, root]);
                go(root);
                table.insert(subject, dummy);
            }
        }
        for (&at, more) in &joining {
            let mut children = self.children(at);
            children.extend(more);
            self.set_children(at, &children);
        }
        let left = roots.iter().filter(|at| !gone.get(**at as usize).copied().unwrap_or_default());
        left.map(|at| replaced.get(at).copied().unwrap_or(*at)).collect()
    }

    /// REFERENCES, steps 2 to 6.
    pub(crate) fn by_references(mut self) -> Forest {
        self.by_id = BTreeMap::new();
        let roots = self.link_children();
        let mut roots = self.prune(&roots);
        self.sort_roots(&mut roots);
        let mut roots = self.merge_subjects(&roots);
        for at in self.leaves_first(&roots) {
            self.sort_children(at);
        }
        roots.sort_by_key(|root| self.order(*root));
        Forest { nodes: self.nodes, roots }
    }

    /// ORDEREDSUBJECT: one thread a subject, the first message above the others, by sent date.
    pub(crate) fn by_subject(mut self) -> Forest {
        let mut all: Vec<u32> = (0..u32::try_from(self.nodes.len()).unwrap_or(NIL)).collect();
        all.sort_by_key(|at| self.order(*at));
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut group_of: BTreeMap<u64, usize> = BTreeMap::new();
        for at in all {
            let group = *group_of.entry(self.node(at).subject).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(group) {
                group.push(at);
            }
        }
        let mut roots = Vec::with_capacity(groups.len());
        for group in groups {
            if let Some((first, rest)) = group.split_first() {
                self.set_children(*first, rest);
                roots.push(*first);
            }
        }
        Forest { nodes: self.nodes, roots }
    }
}

/// A piece of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Open,
    Close,
    /// The UID of a message.
    Message(u32),
}

impl Forest {
    /// RFC 5256 §5 `thread-list`, thread by thread: `(2)(3 6 (4 23)(44 7 96))`. Nothing recurses: a thread
    /// is as deep as somebody makes it.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> + '_ {
        let mut roots = self.roots.iter();
        let mut open: Vec<Step> = Vec::new();
        std::iter::from_fn(move || {
            loop {
                let at = match open.pop() {
                    Some(Step::Open) => return Some(Token::Open),
                    Some(Step::Close) => return Some(Token::Close),
                    Some(Step::Node(at)) => at,
                    None => {
                        open.extend([Step::Close, Step::Node(*roots.next()?)]);
                        return Some(Token::Open);
                    }
                };
                let node = self.nodes.get(at as usize)?;
                let mut children = Vec::new();
                let mut child = node.child;
                while let Some(next) = self.nodes.get(child as usize) {
                    children.push(child);
                    child = next.next;
                }
                if let ([only], true) = (children.as_slice(), node.uid != 0) {
                    // One child of a message goes on in the same parenthesis.
                    open.push(Step::Node(*only));
                } else {
                    for &child in children.iter().rev() {
                        open.extend([Step::Close, Step::Node(child), Step::Open]);
                    }
                }
                if node.uid != 0 {
                    return Some(Token::Message(node.uid));
                }
            }
        })
    }
}

/// What is still to be written, the next one last.
enum Step {
    Open,
    Close,
    Node(u32),
}

#[cfg(test)]
mod tests;
