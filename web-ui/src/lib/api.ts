// The one door to the box: a typed client of `firmware/web/openapi.yaml`, and nothing beside it.
// Must never keep a password, never leave this origin, never show a server's English to an office.
// Limits: every call ends after TIMEOUT_MS, tests and long acts after TEST_TIMEOUT_MS and MANY_TIMEOUT_MS.
import type { Language } from './i18n/index.svelte';

const TIMEOUT_MS = 30_000;
const TEST_TIMEOUT_MS = 75_000;
/** Many acts in one question, or hundreds of passwords that are hashed: as long as the box gives itself. */
export const MANY_TIMEOUT_MS = 125_000;

export type Role = 'admin' | 'domain-admin' | 'user';
export interface SignedIn { role: Role; login: string; address: string | null; name: string; language: string | null }
export interface BoxState {
  setup_needed: boolean; setup_session: boolean; language: string; hostname: string; version: string;
  appliance: boolean; signed_in: SignedIn | null;
}

/** `score`: 0 is guessed at once, 4 not in years. `reason`: why it would not be taken. */
export interface Quality { score: number; ok: boolean; reason: string | null }

export const SETUP_STEPS = ['language', 'code', 'password', 'domain', 'network', 'outbound', 'users', 'finish'] as const;
export type SetupStep = (typeof SETUP_STEPS)[number];
export interface SetupProgress {
  step: SetupStep; skipped: SetupStep[]; ui: unknown; language: string; password_set: boolean; hostname: string;
  domains: string[]; accounts: number; outbound: Outbound; appliance: boolean;
}
export interface SetupDomain { hostname: string; domain: string | null; fingerprint: string }
export interface SetupDone {
  hostname: string; client_settings: ClientSettings; accounts: { address: string; name: string }[];
}

export type Network =
  | { mode: 'dhcp' }
  | { mode: 'static'; address: string; gateway: string; dns: string[] };
export interface BoxStatus {
  interface?: string; addresses?: string[]; gateway?: string; dns?: string[]; network?: Network; tier?: string;
  ram_mb?: number; cores?: number; fsync_us?: number; disk?: string; clock_synced?: boolean; image_version?: string;
  daemon_restarts?: number;
}
export type Tls = 'none' | 'starttls' | 'implicit';
export interface Outbound {
  mode: 'direct' | 'smarthost'; host?: string; port?: number; tls?: Tls; user?: string | null; password_set?: boolean;
}
export interface OutboundChange {
  mode: 'direct' | 'smarthost'; host?: string; port?: number; tls?: Tls; user?: string | null; password?: string | null;
}
export interface OutboundTest { ok: boolean; stage: string; reason: string; detail: string; host?: string }

export interface ClientServer { protocol: 'imap' | 'pop3' | 'smtp'; host: string; port: number; security: 'tls' | 'starttls' }
export interface ClientSettings {
  user: string | null; host?: string; incoming: ClientServer[]; outgoing: ClientServer[]; fingerprint?: string;
}
/** Where people may say that their own mail goes on to. */
export type OwnForwarding = 'no' | 'office' | 'anywhere';
export interface Me extends SignedIn {
  account: Account | null; client_settings: ClientSettings | null; own_forwarding: OwnForwarding;
}

export interface NewAccount {
  address: string; name?: string; password: string; aliases?: string[]; quota_mb?: number | null; is_admin?: boolean;
}
export const STATES = ['active', 'disabled', 'suspended'] as const;
export type AccountState = (typeof STATES)[number];
/** `quota_mb`: null is the default, 0 without limit. `limit_mb`: what holds, null without limit. */
export interface Account {
  id: number; address: string; name: string; aliases: string[]; quota_mb: number | null; used_bytes: number;
  limit_mb: number | null; state: AccountState; is_admin: boolean; language: string | null; password_set: boolean;
  manages?: string[]; send_as?: string[]; forward?: string[]; forward_keep?: boolean; source?: string | null;
}
export interface AccountChange {
  name?: string; aliases?: string[]; quota_mb?: number | null; state?: AccountState; is_admin?: boolean;
  manages?: string[]; send_as?: string[]; forward?: string[]; forward_keep?: boolean;
}
export interface Domain {
  name: string; accounts: number; aliases?: number; groups?: number; catch_all?: string | null;
  domain_aliases?: string[]; admins?: string[]; default_quota_mb?: number | null; source?: boolean;
}
export interface Alias { address: string; targets: string[] }
export interface QueueRecipient {
  address: string; state: 'pending' | 'delivered' | 'failed'; attempts: number; next_attempt_at: string;
  last_reply: string | null; last_host: string | null;
}
export interface QueueEntry {
  id: string; sender: string | null; size: number; queued_at: string; hold: boolean; recipients: QueueRecipient[];
}
export interface Page<T, N> { items: T[]; next: N | null; total: number }
export interface LogLine {
  n: number; at: string; level: 'error' | 'warn' | 'info' | 'debug' | 'trace'; target: string; text: string;
}
export interface Status {
  version: string; hostname: string; now: string; uptime_secs: number;
  tier: { name: '1g' | '4g'; connections_max: number; message_bytes_max: number };
  connections: { now: number; max: number; services: { name: string; now: number }[] };
  services: { name: string; port: number }[];
  web_sessions: number;
  memory: { daemon_bytes: number; box_total_bytes: number; box_available_bytes: number };
  disk: { free_bytes: number; total_bytes: number; low: boolean };
  store: { domains: number; accounts: number; aliases: number; queue: number };
  webhooks_failing: number;
  certificate: null | {
    subject: string; names: string[]; issuer: string; self_signed: boolean; not_before: string; not_after: string;
    fingerprint: string;
  };
  box: BoxStatus | null;
}

export interface LineError { line: number; field?: string; error: string; detail?: string }
interface ErrorBody { error?: string; field?: string; detail?: string; retry_after_secs?: number; lines?: LineError[] }

/** A refusal, or no answer at all (`status` 0, code `unreachable`). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly field: string | undefined = undefined,
    readonly detail: string | undefined = undefined,
    readonly retryAfterSecs: number | undefined = undefined,
    readonly lines: readonly LineError[] = [],
  ) {
    super(code);
    this.name = 'ApiError';
  }
}

/** What a refusal says, whatever came: a proxy's HTML page or an empty body is a refusal, too. */
export function errorFrom(status: number, body: unknown): ApiError {
  const b: ErrorBody = typeof body === 'object' && body !== null ? body : {};
  const fallback = status === 401 ? 'sign-in-needed' : status === 404 ? 'not-found' : status === 503 ? 'busy' : 'internal';
  const code = typeof b.error === 'string' ? b.error : fallback;
  return new ApiError(status, code, b.field, b.detail, b.retry_after_secs, Array.isArray(b.lines) ? b.lines : []);
}

type OnSignInNeeded = () => void;
let onSignInNeeded: OnSignInNeeded = () => undefined;

/** Called when the box says that the session is over. */
export function whenSignInNeeded(f: OnSignInNeeded): void {
  onSignInNeeded = f;
}

/** A body that is sent as it is: a file, not JSON. */
export class FileBody {
  constructor(readonly content: Blob | string, readonly type: string) {}
}

function sent(body: unknown): { headers: HeadersInit; body: BodyInit | null } {
  if (body === undefined) return { headers: {}, body: null };
  if (body instanceof FileBody) return { headers: { 'content-type': body.type }, body: body.content };
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** One question to the box. */
export async function call<T>(method: string, path: string, body?: unknown, timeoutMs = TIMEOUT_MS): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`/api${path}`, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      ...sent(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch {
    throw new ApiError(0, 'unreachable');
  }
  let json: unknown = null;
  if (text !== '') {
    try { json = JSON.parse(text); } catch { json = null; }
  }
  if (response.ok) return json as T;
  const error = errorFrom(response.status, json);
  if (error.code === 'sign-in-needed') onSignInNeeded();
  throw error;
}

export const get = <T>(path: string) => call<T>('GET', path);
export const post = <T = undefined>(path: string, body?: unknown) => call<T>('POST', path, body);
export const put = <T = undefined>(path: string, body: unknown) => call<T>('PUT', path, body);
export const patch = <T>(path: string, body: unknown) => call<T>('PATCH', path, body);
export const del = (path: string, body?: unknown) => call<undefined>('DELETE', path, body);
export const seg = encodeURIComponent;

/** The question behind a path; what is empty is not asked for. */
export function query(params: Readonly<Record<string, string | number | boolean | null | undefined>>): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== null && v !== undefined && v !== '') q.set(k, String(v));
  const s = q.toString();
  return s === '' ? '' : `?${s}`;
}

export const api = {
  state: () => get<BoxState>('/state'),
  setBoxLanguage: (language: Language) => post('/language', { language }),
  signIn: (login: string, password: string, code?: string) => post<SignedIn>('/session', { login, password, code }),
  signOut: () => del('/session'),

  setup: {
    code: (code: string, language: Language) => post<SetupProgress>('/setup/code', { code, language }),
    progress: () => get<SetupProgress>('/setup/progress'),
    remember: (step: SetupStep, skipped: SetupStep[], ui: unknown) => put('/setup/progress', { step, skipped, ui }),
    password: (password: string) => post('/setup/password', { password }),
    domain: (change: { hostname?: string; domain?: string }) => post<SetupDomain>('/setup/domain', change),
    network: () => get<BoxStatus>('/setup/network'),
    setNetwork: (network: Network) => post('/setup/network', network),
    outbound: () => get<Outbound>('/setup/outbound'),
    setOutbound: (change: OutboundChange) => post<Outbound>('/setup/outbound', change),
    testOutbound: (change: OutboundChange) => call<OutboundTest>('POST', '/setup/outbound/test', change, TEST_TIMEOUT_MS),
    users: (users: NewAccount[]) =>
      call<{ created: Account[] }>('POST', '/setup/users', { users }, MANY_TIMEOUT_MS),
    finish: () => post<SetupDone>('/setup/finish'),
  },

  me: () => get<Me>('/me'),
  changePassword: (old: string, fresh: string) => post('/me/password', { old, new: fresh }),
  passwordQuality: (asked: { password: string; login?: string; is_admin?: boolean }) => post<Quality>('/password-quality', asked),
  setMyForwarding: (forward: string[], forward_keep: boolean) => put<Account>('/me/forwarding', { forward, forward_keep }),
  setMyLanguage: (language: Language | null) => post('/me/language', { language }),

  status: () => get<Status>('/admin/status'),
  log: (after: number, limit = 500) => get<{ last: number; lines: LogLine[] }>(`/admin/log${query({ after, limit })}`),
  trace: () => get<{ on: boolean }>('/admin/trace'),
  setTrace: (on: boolean) => put<{ on: boolean }>('/admin/trace', { on }),

  domains: () => get<{ items: Domain[] }>('/admin/domains'),
  addDomain: (name: string) => post<Domain>('/admin/domains', { name }),
  deleteDomain: (name: string) => del(`/admin/domains/${seg(name)}`),

  account: (id: number) => get<Account>(`/admin/accounts/${id}`),
  addAccount: (a: NewAccount) => post<Account>('/admin/accounts', a),
  changeAccount: (id: number, change: AccountChange) => patch<Account>(`/admin/accounts/${id}`, change),
  deleteAccount: (id: number) => del(`/admin/accounts/${id}`),
  setAccountPassword: (id: number, password: string) => post(`/admin/accounts/${id}/password`, { password }),

  aliases: () => get<{ items: Alias[] }>('/admin/aliases'),
  addAlias: (alias: Alias) => post<Alias>('/admin/aliases', alias),
  changeAlias: (address: string, targets: string[]) => put<Alias>(`/admin/aliases/${seg(address)}`, { targets }),
  deleteAlias: (address: string) => del(`/admin/aliases/${seg(address)}`),

  queue: (p: { after?: string; limit?: number }) => get<Page<QueueEntry, string>>(`/admin/queue${query(p)}`),
  retry: (id: string) => post(`/admin/queue/${seg(id)}/retry`),
  hold: (id: string) => post(`/admin/queue/${seg(id)}/hold`),
  release: (id: string) => post(`/admin/queue/${seg(id)}/release`),
  deleteEntry: (id: string) => del(`/admin/queue/${seg(id)}`),

  outbound: () => get<Outbound>('/admin/outbound'),
  setOutbound: (change: OutboundChange) => put<Outbound>('/admin/outbound', change),
  testOutbound: (change: OutboundChange) => call<OutboundTest>('POST', '/admin/outbound/test', change, TEST_TIMEOUT_MS),
  hostname: () => get<{ hostname: string }>('/admin/hostname'),
  setHostname: (hostname: string) => put<{ hostname: string; fingerprint: string }>('/admin/hostname', { hostname }),
  network: () => get<BoxStatus>('/admin/network'),
  setNetwork: (network: Network) => put('/admin/network', network),
  reboot: () => post('/admin/reboot'),
  powerOff: () => post('/admin/poweroff'),
};
