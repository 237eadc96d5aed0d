// A guess at how hard a password is to find. Only advice: the server decides what it accepts.
export const PASSWORD_MIN = 10;

/** 0 too short, 1 weak, 2 fair, 3 good, 4 very good. */
export type Strength = 0 | 1 | 2 | 3 | 4;

const COMMON = /passw|kennwort|motdepasse|contrase|qwert|azert|12345|abcde|postroom|letmein|admin|welcome|willkommen/i;

export function strengthOf(password: string): Strength {
  const length = [...password].length;
  if (length < PASSWORD_MIN) return 0;
  const pool =
    (/\p{Ll}/u.test(password) ? 26 : 0) + (/\p{Lu}/u.test(password) ? 26 : 0) +
    (/\d/.test(password) ? 10 : 0) + (/[^\p{L}\d]/u.test(password) ? 20 : 0);
  const different = new Set(password).size;
  // Repeated characters count half: "aaaaaaaaaaaa" is one decision, not twelve.
  const bits = Math.log2(Math.max(pool, 2)) * (different + (length - different) / 2);
  const fair = COMMON.test(password) ? bits / 2 : bits;
  if (different < 4 || fair < 35) return 1;
  if (fair < 52) return 2;
  return fair < 75 ? 3 : 4;
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
