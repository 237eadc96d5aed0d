// Who may come in and what was done: app passwords, second factor, sessions, tokens, audit, webhooks.
// A secret is in an answer once, when it was made; nothing here keeps it.
import { ApiError, del, get, post, query, seg } from './api';
import { separatorOf } from './directory';

export const PROTOCOLS = ['imap', 'pop3', 'smtp', 'dav', 'ldap'] as const;
export type Protocol = (typeof PROTOCOLS)[number];
export interface AppPassword {
  id: number; name: string; protocols: Protocol[]; created_at: string; last_used_at: string | null;
  last_address: string | null;
}
export interface Security {
  totp: boolean; recovery_codes_left: number; app_passwords_required: boolean; app_passwords: number;
}
/** `account`: address, or `admin`. */
export interface Session {
  id: string; protocol: string; account: string; address: string; since: string; client: string | null;
  tls: string | null; app_password: string | null; current: boolean;
}

export interface Token {
  id: number; name: string; role: 'admin' | 'domains'; domains: string[]; created_at: string; expires_at: string | null;
  last_used_at: string | null;
}
export interface NewToken { name: string; role: 'admin' | 'domains'; domains: string[]; expires_at?: string | null }

export interface AuditChange { name: string; before: string[]; after: string[] }
export interface AuditEntry {
  seq: number; at: string; who: string; via: string; address: string | null; action: string; target: string;
  changes: AuditChange[];
}
export interface AuditQuery {
  before?: number; limit?: number; who?: string; target?: string; action?: string; since?: string; until?: string;
}

/** Whose credentials: one's own, or those of an account. */
const owner = (account: number | null) => (account === null ? '/me' : `/admin/accounts/${account}`);

/** The code of an app and the code on the box's screen have one refusal; their users need different words. */
export function ofSecondStep(thrown: unknown): unknown {
  const wrong = thrown instanceof ApiError && thrown.code === 'wrong-code';
  return wrong ? new ApiError(thrown.status, 'wrong-second-code', 'code') : thrown;
}

export const security = {
  appPasswords: (account: number | null) => get<{ items: AppPassword[] }>(`${owner(account)}/app-passwords`),
  addAppPassword: (account: number | null, name: string, protocols: Protocol[]) =>
    post<AppPassword & { password: string }>(`${owner(account)}/app-passwords`, { name, protocols }),
  deleteAppPassword: (account: number | null, id: number) => del(`${owner(account)}/app-passwords/${id}`),

  mine: () => get<Security>('/me/security'),
  startTotp: (password: string) => post<{ secret: string; uri: string }>('/me/totp', { password }),
  confirmTotp: (code: string) => post<{ recovery_codes: string[] }>('/me/totp/confirm', { code })
    .catch((thrown: unknown) => { throw ofSecondStep(thrown); }),
  endTotp: (password: string) => del('/me/totp', { password }),
  endTotpOf: (account: number) => del(`/admin/accounts/${account}/totp`),

  mySessions: () => get<{ items: Session[] }>('/me/sessions'),
  endMySession: (id: string) => del(`/me/sessions/${seg(id)}`),
  sessions: (account?: number) => get<{ items: Session[] }>(`/admin/sessions${query({ account })}`),
  endSession: (id: string) => del(`/admin/sessions/${seg(id)}`),
  endSessionsOf: (account: number) => del(`/admin/accounts/${account}/sessions`),

  tokens: () => get<{ items: Token[] }>('/admin/tokens'),
  addToken: (t: NewToken) => post<Token & { token: string }>('/admin/tokens', t),
  deleteToken: (id: number) => del(`/admin/tokens/${id}`),

  audit: (q: AuditQuery) => get<{ items: AuditEntry[]; next: number | null }>(`/admin/audit${query({ ...q })}`),
  auditUrl: (q: AuditQuery, format: 'csv' | 'jsonl') => `/api/admin/audit/export${query({ ...q, format, ...separatorOf(format) })}`,
};
