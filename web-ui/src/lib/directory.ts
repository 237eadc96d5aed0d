// People, domains, groups and where they come from: the part of the box's door that the directory has.
import {
  call, del, FileBody, get, MANY_TIMEOUT_MS, patch, post, put, query, seg,
  type Account, type Domain, type OwnForwarding,
} from './api';
import { columnSeparator } from './i18n/index.svelte';

/** One page of a list: how many fit the question, and how many there are at all. */
export interface Found<T> { items: T[]; found: number; total?: number }
export interface ListQuery { search?: string; sort?: string; order?: 'asc' | 'desc'; offset?: number; limit?: number }

export interface DeletedAccount {
  id: number; address: string; name: string; deleted_at: string; expires_at: string; messages: number;
  bytes: number; restorable: boolean; why?: string;
}
export interface Storage {
  retention_days: number; default_quota_mb: number | null; default_quota_messages: number | null;
}

export interface DirectorySettings { lan_lookup: boolean; own_forwarding: OwnForwarding }

/** People of the box are brought in and taken out; a large file takes a while to be sent. */
const IMPORT_TIMEOUT_MS = 180_000;

/** A table is for the spreadsheet of whoever asks for it. */
export const separatorOf = (format: string) => (format === 'csv' ? { separator: columnSeparator() } : {});

export type ImportFormat = 'csv' | 'ldif' | 'vcard';
export interface ImportLine {
  line: number; action: 'create' | 'update' | 'skip' | 'error'; address: string | null; name: string | null;
  error?: string; field?: string; detail?: string;
}
export interface ImportReport {
  id: string; state: 'checked' | 'refused' | 'running' | 'done' | 'failed'; done: number; total: number; created: number;
  updated: number; skipped: number; errors: number; columns?: { column: string; means: string | null }[];
  lines: ImportLine[]; lines_left_out: number; error?: string; detail?: string;
}
export interface ImportQuery {
  format: ImportFormat; dry_run: boolean; existing: 'skip' | 'update'; partial: boolean; domain?: string;
}

export interface DomainChange {
  catch_all?: string | null; domain_aliases?: string[]; default_quota_mb?: number | null;
}

export interface GroupSummary {
  name: string; domain: string; address: string | null; members: number; description: string;
}
export interface Group extends Omit<GroupSummary, 'members'> { members: string[] }
export interface GroupChange { address?: string | null; members?: string[]; description?: string }

export type SourceTls = 'tls' | 'starttls' | 'none';
export interface SourceChange {
  enabled: boolean; preset: 'active-directory' | 'ldap'; url: string; tls: SourceTls; ca_pem?: string | null;
  fingerprint?: string | null; bind_dn: string; bind_password?: string | null; base: string; filter?: string | null;
  group_filter?: string | null; attributes: Record<string, string>; interval_minutes: number; cache_days: number;
}
export interface Source extends SourceChange { password_set: boolean; effective: Record<string, string> }
export interface SourceTest {
  ok: boolean; stage: string; reason: string; detail: string; found: number; certificate_sha256: string | null;
  sample: { dn: string; name: string; address: string | null; disabled: boolean; error: string | null }[];
}
export interface SourceStatus {
  running: boolean; last_sync_at: string | null; result: 'ok' | 'partial' | 'failed' | null; reason: string | null;
  detail: string | null; people: number; groups: number; created: number; changed: number; disabled: number;
  deleted: number; skipped: number; errors: { dn: string; error: string; detail: string }[];
}
/** Asking a directory elsewhere may take its own time. */
const SOURCE_TIMEOUT_MS = 75_000;
const sourceOf = (domain: string) => `/admin/domains/${seg(domain)}/source`;

export const directory = {
  accounts: (p: ListQuery & { domain?: string; state?: string; source?: string }) =>
    get<Found<Account>>(`/admin/accounts${query({ ...p })}`),
  deleted: (p: ListQuery) =>
    get<Found<DeletedAccount> & { retention_days: number }>(`/admin/deleted-accounts${query({ ...p })}`),
  restore: (id: number) =>
    post<{ account: Account; lost_aliases: string[] }>(`/admin/deleted-accounts/${id}/restore`),
  storage: () => get<Storage>('/admin/storage'),
  setStorage: (s: Storage) => put<Storage>('/admin/storage', s),

  import: (q: ImportQuery, content: Blob | string) => call<ImportReport>(
    'POST', `/admin/import${query({ ...q })}`, new FileBody(content, 'application/octet-stream'), IMPORT_TIMEOUT_MS,
  ),
  importState: (id: string) => get<ImportReport>(`/admin/import/${seg(id)}`),
  exportUrl: (format: ImportFormat, domain: string) => `/api/admin/export${query({ format, domain, ...separatorOf(format) })}`,

  settings: () => get<DirectorySettings>('/admin/directory'),
  set: (change: Partial<DirectorySettings>) => put<DirectorySettings>('/admin/directory', change),

  domain: (name: string, change: DomainChange) => patch<Domain>(`/admin/domains/${seg(name)}`, change),
  groups: (p: ListQuery & { domain?: string }) => get<Found<GroupSummary>>(`/admin/groups${query({ ...p })}`),
  group: (id: string) => get<Group>(`/admin/groups/${seg(id)}`),
  addGroup: (g: GroupChange & { name: string; domain: string }) => post<Group>('/admin/groups', g),
  changeGroup: (id: string, change: GroupChange) => patch<Group>(`/admin/groups/${seg(id)}`, change),
  deleteGroup: (id: string) => del(`/admin/groups/${seg(id)}`),

  source: (domain: string) => get<Source>(sourceOf(domain)),
  setSource: (domain: string, s: SourceChange) => put<Source>(sourceOf(domain), s),
  deleteSource: (domain: string) => call<undefined>('DELETE', sourceOf(domain), undefined, MANY_TIMEOUT_MS),
  testSource: (domain: string, s: SourceChange) => call<SourceTest>('POST', `${sourceOf(domain)}/test`, s, SOURCE_TIMEOUT_MS),
  sync: (domain: string) => post<{ started: boolean }>(`${sourceOf(domain)}/sync`),
  sourceStatus: (domain: string) => get<SourceStatus>(`${sourceOf(domain)}/status`),
};
