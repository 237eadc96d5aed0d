// The audit log as people read it: which acts there are, and what their parts are called.
import { formatBytes, hasKey, tKey, type MessageKey } from '../lib/i18n/index.svelte';
import type { AuditChange, AuditEntry, AuditQuery } from '../lib/security';

/** The families of acts that can be asked for. */
export const FAMILIES = [
  'account', 'alias', 'group', 'domain', 'entry', 'settings', 'credential', 'token', 'webhook', 'source', 'queue', 'session',
  'messages', 'tls', 'box',
] as const;

export interface AuditFilter { who: string; target: string; action: string; since: string; until: string }

/** The day after, for "until" means the whole of that day. */
function dayAfter(day: string): string {
  const next = new Date(`${day}T00:00:00`);
  next.setDate(next.getDate() + 1);
  return next.toISOString();
}

export function questionOf(f: AuditFilter): AuditQuery {
  return {
    who: f.who.trim(), target: f.target.trim(), action: f.action,
    since: f.since === '' ? '' : new Date(`${f.since}T00:00:00`).toISOString(),
    until: f.until === '' ? '' : dayAfter(f.until),
  };
}

/** The words for an act: its own, or those of its family and its kind. */
export function actionText(action: string): string {
  const [family = '', kind = ''] = action.split('.');
  const own = `audit.action.${action}`;
  if (hasKey(own)) return tKey(own);
  const parts = [`audit.family.${family}`, `audit.kind.${kind}`].filter(hasKey).map((k) => tKey(k));
  return parts.length === 2 ? parts.join(': ') : action;
}

export function viaText(via: string): string {
  const key = `audit.via.${via}`;
  return hasKey(key) ? tKey(key) : via;
}

/** What the parts of an entry are called on the other pages. */
const NAMES: Readonly<Record<string, MessageKey>> = {
  cn: 'audit.name.cn', name: 'accounts.name', displayname: 'accounts.name', sn: 'audit.name.sn', givenname: 'audit.name.given',
  mail: 'accounts.address', address: 'accounts.address', aliases: 'accounts.aliases', mailalternateaddress: 'accounts.aliases',
  maillocaladdress: 'accounts.aliases', postroomquotamb: 'accounts.quota', postroomquota: 'accounts.quota',
  quota_mb: 'accounts.quota', default_quota_mb: 'accounts.quota', postroomstatus: 'accounts.state', state: 'accounts.state',
  postroomrole: 'accounts.role', is_admin: 'accounts.role', postroommanages: 'accounts.role.domains', userpassword: 'accounts.password',
  password: 'accounts.password', postroomforward: 'accounts.forward', postroomforwardkeep: 'accounts.forward.keep', own_forwarding: 'forward.people', postroomsendas: 'accounts.send-as',
  targets: 'aliases.targets', telephonenumber: 'audit.name.telephone', member: 'audit.name.member',
};

export function partText(name: string): string {
  const key = NAMES[name.toLowerCase().split(';')[0] ?? ''];
  return key ? tKey(key) : name;
}

export const SECRET = '(secret)';

const MB = 1_048_576;

/** A value in the words of the other pages; one that nobody may read is told as `secret`. */
function valueText(name: string, value: string, secret: string): string {
  if (value === SECRET) return secret;
  const own = name.toLowerCase();
  if (own.includes('quota') && !own.includes('messages') && /^\d+$/.test(value)) {
    return formatBytes(Number(value) * (own.endsWith('mb') ? MB : 1));
  }
  const state = `accounts.state.${value}`;
  return own.endsWith('status') && hasKey(state) ? tKey(state) : value;
}

export const valuesText = (name: string, values: readonly string[], secret: string): string =>
  values.map((v) => valueText(name, v, secret)).join(', ');

/** Who did it and from where, without saying the same twice. */
export function byText(e: AuditEntry): string {
  const who = e.who === e.via ? [] : [e.who];
  return [...who, viaText(e.via), ...(e.address ? [e.address] : [])].join(' · ');
}

/** What it was done to; where nothing is named, the names of what has changed. */
export const targetText = (e: AuditEntry): string =>
  e.target !== '' ? e.target : e.changes.map((c) => partText(c.name)).join(', ');

export const kindOf = (c: AuditChange): 'came' | 'went' | 'changed' =>
  c.before.length === 0 ? 'came' : c.after.length === 0 ? 'went' : 'changed';
