// Passwords: what the meter says, and one to read out. How good one is, the server judges.
import type { Quality } from './api';

export const PASSWORD_MIN = 10;

/** 0 too short, 1 weak, 2 fair, 3 good, 4 very good. */
export type Strength = 0 | 1 | 2 | 3 | 4;

/** The server's judgement as a length of the bar. What it would not take is never more than weak. */
export function strengthOf({ score, ok, reason }: Quality): Strength {
  if (reason === 'password-too-short') return 0;
  if (!ok || score < 2) return 1;
  return score < 3 ? 2 : score < 4 ? 3 : 4;
}

/** A password to read out on the telephone: no l/1/I, no O/0. */
export function suggestPassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const out: string[] = [];
  const bytes = new Uint8Array(64);
  crypto.getRandomValues(bytes);
  for (const b of bytes) {
    // 248 = 8 * 31: a byte above would favour the first letters.
    if (b >= 248) continue;
    out.push(letters[b % letters.length] ?? '');
    if (out.length === 16) break;
  }
  return (out.join('').match(/.{1,4}/g) ?? []).join('-');
}
