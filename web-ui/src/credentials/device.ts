// What a program calls itself, in words that its owner knows it by.

const SYSTEMS: readonly [RegExp, string][] = [
  [/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/Android/, 'Android'], [/Windows/, 'Windows'], [/Mac ?OS|Macintosh/, 'Mac'],
  [/CrOS/, 'ChromeOS'], [/Linux|X11/, 'Linux'],
];
// The order counts: nearly all of them call themselves Safari and Chrome, too.
const PROGRAMS: readonly [RegExp, string][] = [
  [/Edg(e|A|iOS)?\//, 'Edge'], [/OPR\/|Opera/, 'Opera'], [/Thunderbird/, 'Thunderbird'], [/Firefox\/|FxiOS/, 'Firefox'],
  [/Outlook|Microsoft Office/, 'Outlook'], [/Chrome\/|CriOS|Chromium/, 'Chrome'], [/Safari\//, 'Safari'],
];

/** `Firefox (Windows)` out of a browser's User-Agent; the name that a mail program gave stays as it is. */
export function deviceOf(client: string | null): string {
  if (!client) return '';
  if (!client.startsWith('Mozilla/')) return client;
  const program = PROGRAMS.find(([pattern]) => pattern.test(client))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(client))?.[1];
  if (program && system) return `${program} (${system})`;
  return program ?? system ?? client;
}
