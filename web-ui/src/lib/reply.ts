// What another mail server answered, in short and in plain words. Looks at the enhanced status code
// (RFC 3463 §3) first, at the words only where the code says nothing.
import type { MessageKey } from './i18n/index.svelte';

const BY_DETAIL: readonly [RegExp, MessageKey][] = [
  [/^[45]\.1\.[1236]$/, 'reply.mailbox'], [/^[45]\.2\.1$/, 'reply.mailbox'], [/^[45]\.2\.2$/, 'reply.full'],
  [/^[45]\.(2|3)\.[34]$/, 'reply.size'], [/^[45]\.4\.[1-7]$/, 'reply.network'], [/^[45]\.7\.8$/, 'reply.login'],
  [/^5\.7\./, 'reply.policy'],
];
const BY_WORDS: readonly [RegExp, MessageKey][] = [
  [/greylist|grey-list|graylist/i, 'reply.greylist'],
  [/blocklist|blacklist|dnsbl|spamhaus|\brbl\b/i, 'reply.blocked'],
  [/quota|mailbox (is )?full|over ?quota/i, 'reply.full'],
  [/user unknown|no such (user|mailbox|recipient)|unknown user/i, 'reply.mailbox'],
  [/no such domain|nxdomain|name (was )?not found|no mx|does not exist/i, 'reply.name'],
  [/timed? ?out|refused|unreachable|no route|connection|reset|dns/i, 'reply.network'],
];

/** The text for a reply, if we can tell. */
export function meaningOf(reply: string): MessageKey | null {
  const words = BY_WORDS.find(([pattern]) => pattern.test(reply));
  const code = /(?:^|[^\d])([45])(\d\d)[ -](?:([45]\.\d{1,3}\.\d{1,3}))?/.exec(reply);
  const detail = code?.[3] ?? /\b([45]\.\d{1,3}\.\d{1,3})\b/.exec(reply)?.[1];
  // Greylists and blocklists hide behind general codes: their words say more.
  if (words && ['reply.greylist', 'reply.blocked'].includes(words[1])) return words[1];
  const known = detail ? BY_DETAIL.find(([pattern]) => pattern.test(detail)) : undefined;
  if (known) return known[1];
  if (words) return words[1];
  const first = code?.[1] ?? detail?.[0];
  if (first === '4') return 'reply.temporary';
  return first === '5' ? 'reply.permanent' : null;
}
