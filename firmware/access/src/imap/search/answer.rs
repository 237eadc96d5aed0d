//! The answers of SEARCH: the old list and ESEARCH. RFC 9051 §7.3.4, RFC 4731, RFC 7162 §3.1.5.

use base::{ModSeq, UidRanges};

use super::run::Found;
use crate::imap::parse::{Numbers, ReturnOption};

/// What is returned, without SAVE.
fn told(returns: &[ReturnOption]) -> impl Iterator<Item = ReturnOption> + '_ {
    returns.iter().copied().filter(|option| *option != ReturnOption::Save)
}

/// RFC 7162 §3.1.10: the modseq of what is returned.
pub(super) fn modseq(found: &Found, returns: &[ReturnOption]) -> ModSeq {
    let only = |wanted| told(returns).all(|option| option == wanted);
    let is_ends = told(returns).all(|o| matches!(o, ReturnOption::Min | ReturnOption::Max));
    if only(ReturnOption::Min) {
        found.first_modseq
    } else if only(ReturnOption::Max) {
        found.last_modseq
    } else if is_ends {
        found.first_modseq.max(found.last_modseq)
    } else {
        found.highest_modseq
    }
}

/// RFC 5182 §2.1: with MIN or MAX and neither ALL nor COUNT only these are saved.
pub(super) fn saved(found: &UidRanges, returns: &[ReturnOption]) -> UidRanges {
    let has = |option| returns.contains(&option);
    if has(ReturnOption::All) || has(ReturnOption::Count) {
        return found.clone();
    }
    if !has(ReturnOption::Min) && !has(ReturnOption::Max) {
        return found.clone();
    }
    let min = found.first().filter(|_| has(ReturnOption::Min));
    let max = found.last().filter(|_| has(ReturnOption::Max));
    min.into_iter().chain(max).collect()
}

/// RFC 4731 §3.1: `* ESEARCH (TAG "a1") UID MIN 2 COUNT 3`; empty if nothing was asked for but SAVE. `all`
/// is what ALL shows, `ends` the lowest and highest.
pub(crate) fn esearch(
    tag: &str,
    numbers: Numbers,
    returns: &[ReturnOption],
    (count, ends, all): (u64, Option<(u32, u32)>, &str),
    modseq: Option<ModSeq>,
) -> String {
    if told(returns).next().is_none() {
        return String::new();
    }
    let mut line = format!("* ESEARCH (TAG \"{tag}\")");
    if numbers == Numbers::Uid {
        line.push_str(" UID");
    }
    let has = |option| returns.contains(&option);
    if let Some((first, last)) = ends {
        if has(ReturnOption::Min) {
            line.push_str(&format!(" MIN {first}"));
        }
        if has(ReturnOption::Max) {
            line.push_str(&format!(" MAX {last}"));
        }
        if has(ReturnOption::All) {
            line.push_str(" ALL ");
            line.push_str(all);
        }
    }
    if has(ReturnOption::Count) {
        line.push_str(&format!(" COUNT {count}"));
    }
    if let Some(modseq) = modseq.filter(|_| count > 0) {
        line.push_str(&format!(" MODSEQ {modseq}"));
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use base::Uid;

    use super::*;

    #[test]
    fn esearch_is_written() {
        let all = [ReturnOption::Min, ReturnOption::Max, ReturnOption::All, ReturnOption::Count];
        assert_eq!(
            esearch("a1", Numbers::Uid, &all, (3, Some((2, 9)), "2:3,9"), Some(ModSeq(4))),
            "* ESEARCH (TAG \"a1\") UID MIN 2 MAX 9 ALL 2:3,9 COUNT 3 MODSEQ 4\r\n"
        );
        assert_eq!(
            esearch("a1", Numbers::Sequence, &all, (0, None, ""), Some(ModSeq(4))),
            "* ESEARCH (TAG \"a1\") COUNT 0\r\n"
        );
        let save = [ReturnOption::Save];
        assert_eq!(esearch("a1", Numbers::Uid, &save, (3, Some((2, 9)), "2:3,9"), None), "");
    }

    #[test]
    fn what_is_saved_and_its_modseq_follow_what_is_returned() {
        use ReturnOption::{All, Count, Max, Min, Save};
        let found = Found {
            uids: [2, 3, 9].into_iter().map(Uid).collect(),
            first_modseq: ModSeq(5),
            last_modseq: ModSeq(7),
            highest_modseq: ModSeq(8),
        };
        for (returns, want_saved, want_modseq) in [
            (&[Save][..], "2:3,9", 5),
            (&[Save, Min], "2", 5),
            (&[Max, Save], "9", 7),
            (&[Min, Max, Save], "2,9", 7),
            (&[Save, Min, Count], "2:3,9", 8),
            (&[All, Max], "2:3,9", 8),
        ] {
            assert_eq!(saved(&found.uids, returns).to_string(), want_saved, "{returns:?}");
            if returns != [Save] {
                assert_eq!(modseq(&found, returns), ModSeq(want_modseq), "{returns:?}");
            }
        }
    }
}
