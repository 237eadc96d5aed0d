// Turns refusals into plain words. The codes are the contract; each known one has a text in all languages.
import { ApiError } from './api';
import { hasKey, plural, t, tKey } from './i18n/index.svelte';

/** The field a code is about, for answers that do not name one. */
const FIELD_OF: Readonly<Record<string, string>> = {
  'wrong-code': 'code', 'wrong-password': 'old', 'hostname-invalid': 'hostname', 'hostname-not-full': 'hostname',
  'domain-invalid': 'domain', 'address-invalid': 'address', 'address-taken': 'address', 'domain-unknown': 'address',
  'gateway-invalid': 'gateway', 'gateway-outside': 'gateway', 'dns-invalid': 'dns', 'host-invalid': 'host',
  'port-invalid': 'port', 'user-without-password': 'password', 'password-without-user': 'user',
  'password-needs-tls': 'tls', 'password-too-short': 'password', 'password-too-long': 'password',
  'password-too-simple': 'password', 'password-invalid': 'password', 'name-invalid': 'name', 'quota-invalid': 'quota_mb',
  'targets-empty': 'targets', 'too-many-targets': 'targets', 'alias-to-itself': 'targets', 'too-many-aliases': 'aliases',
  'group-exists': 'name', 'group-name-invalid': 'name', 'protocols-invalid': 'protocols',
};

/** The words for a code. */
export function codeText(code: string, retryAfterSecs?: number): string {
  if (code === 'throttled') return plural('err.throttled', Math.max(1, retryAfterSecs ?? 60));
  const key = `err.${code}`;
  return hasKey(key) ? tKey(key) : t('err.unknown', { code });
}

/** Any thrown thing as an `ApiError`; a bug in the page is one, too, and says so. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError(-1, 'page-bug', undefined, String(thrown));
}

/** Another system of the office, and the directory, say themselves why they refused. */
const WITH_DETAIL = ['refused-by-webhook', 'refused'];

/** The words for a refusal. */
export function errorText(e: ApiError): string {
  const text = codeText(e.code, e.retryAfterSecs);
  return WITH_DETAIL.includes(e.code) && e.detail ? `${text} ${e.detail}` : text;
}

/** First part of the path of the field that is wrong: `users.3.address` -> `users`. */
export function fieldOf(e: ApiError): string | undefined {
  return (e.field ?? FIELD_OF[e.code])?.split('.')[0];
}
