// Addresses elsewhere that are told of changes, or asked before them.
import { call, del, get, patch, post } from './api';

export interface Webhook {
  id: number; name: string; url: string; events: string[]; mode: 'before' | 'after'; on_failure: 'allow' | 'refuse';
  enabled: boolean; old_secret_until: string | null;
  state: {
    waiting: number; failing_since: string | null; gave_up_at: string | null; last_ok_at: string | null;
    last_error: string | null; missed: number;
  };
}
export type WebhookChange = Partial<Pick<Webhook, 'name' | 'url' | 'events' | 'mode' | 'on_failure' | 'enabled'>>;
export interface WebhookAttempt {
  at: string; event: string; attempt?: number; ok: boolean; status: number | null; error: string | null;
  detail: string | null; ms: number;
}
export interface WebhookTest {
  ok: boolean; status: number | null; error: string | null; detail: string | null; ms: number;
}

/** The other side has its own time to answer. */
const TEST_TIMEOUT_MS = 60_000;

export const webhooks = {
  list: () => get<{ items: Webhook[]; events: string[] }>('/admin/webhooks'),
  add: (w: WebhookChange) => post<Webhook & { secret: string }>('/admin/webhooks', w),
  change: (id: number, w: WebhookChange) => patch<Webhook>(`/admin/webhooks/${id}`, w),
  renewSecret: (id: number) => patch<Webhook & { secret: string }>(`/admin/webhooks/${id}`, { new_secret: true }),
  delete: (id: number) => del(`/admin/webhooks/${id}`),
  test: (id: number) => call<WebhookTest>('POST', `/admin/webhooks/${id}/test`, undefined, TEST_TIMEOUT_MS),
  log: (id: number) => get<{ items: WebhookAttempt[] }>(`/admin/webhooks/${id}/log`),
};

/** Before a change only those can be asked. */
export const ASKED_BEFORE = ['account', 'alias', 'group'];
export const TOLD_AFTER = ['account', 'alias', 'group', 'domain', 'settings', 'credential', 'token', 'source'];

/** Which families of events are among the patterns; `*` is all of them. */
export const familiesOf = (events: readonly string[], all: readonly string[]): string[] =>
  all.filter((f) => events.some((e) => e === '*' || e.split('.')[0] === f));

/** What to send for the families chosen. What stands for one part of a family stays as it is. */
export const eventsOf = (chosen: readonly string[], before: readonly string[]): string[] =>
  chosen.flatMap((f) => {
    const kept = before.filter((e) => e.split('.')[0] === f);
    return kept.length > 0 ? kept : [`${f}.*`];
  });
