// Reads what an office has in its spreadsheet: name and address, perhaps a password, one person a line.
// Owns the guesses (separator, header line, order of the columns). Must never throw on bad input: each
// line that cannot be read is answered with its number and a reason.
// Limits: MAX_ROWS people, cells as they stand between the separators; quoting after RFC 4180 §2.

export const MAX_ROWS = 500;

export type CsvReason = 'address-missing' | 'address-bad' | 'address-twice' | 'too-many';
export interface CsvPerson { line: number; name: string; address: string; password: string }
export interface CsvProblem { line: number; reason: CsvReason; text: string }
export interface CsvResult { people: CsvPerson[]; problems: CsvProblem[] }

interface Record { line: number; cells: string[] }

/** Splits text into records; quoted cells may hold separators, line ends and doubled quotes (RFC 4180 §2). */
export function splitCsv(text: string, separator: string): Record[] {
  const records: Record[] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  let line = 1;
  let startedAt = 1;
  const endCell = () => { cells.push(cell.trim()); cell = ''; };
  const endRecord = () => {
    endCell();
    if (cells.some((c) => c !== '')) records.push({ line: startedAt, cells });
    cells = [];
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\n') line++;
    if (quoted) {
      if (c === '"' && text[i + 1] === '"') { cell += '"'; i++; }
      else if (c === '"') quoted = false;
      else cell += c;
    } else if (c === '"' && cell.trim() === '') { cell = ''; quoted = true; }
    else if (c === separator) endCell();
    else if (c === '\n') { endRecord(); startedAt = line; }
    else if (c !== '\r') cell += c;
  }
  endRecord();
  return records;
}

/** The separator that cuts the first record into most cells: tab (pasted cells), `;` or `,`. */
export function guessSeparator(text: string): string {
  const counted = ['\t', ';', ','].map((s) => ({ s, n: splitCsv(text, s)[0]?.cells.length ?? 0 }));
  return counted.reduce((best, x) => (x.n > best.n ? x : best)).s;
}

/** Same idea of an address as the server's first look; the server has the last word. */
export function looksLikeAddress(text: string): boolean {
  return text.length <= 254 && /^[^\s@"<>()[\],;:\\]{1,64}@[^\s@.]+(\.[^\s@.]+)+$/u.test(text);
}

const isLocalPart = (text: string) => /^[\p{L}\p{N}._+'-]{1,64}$/u.test(text);

const HEADERS = {
  address: /^(e-?mail|mail|addresse?|adresse|e-mail-adresse|indirizzo|correo|dirección|direccion|courriel|login)/i,
  name: /^(name|full ?name|nom|nome|nombre|vorname|person|utilisateur|usuario|utente)/i,
  password: /^(pass|kennwort|mot de passe|contraseña|parola)/i,
};

interface Columns { name: number; address: number; password: number }

/** Where the columns are, by a header line or else by where an address stands. */
function columnsOf(first: Record, domain: string): { columns: Columns; hasHeader: boolean } {
  const hasAddress = first.cells.some(looksLikeAddress);
  const address = first.cells.findIndex((c) => HEADERS.address.test(c));
  if (!hasAddress && address >= 0) {
    const password = first.cells.findIndex((c) => HEADERS.password.test(c));
    const name = first.cells.findIndex((c, i) => i !== address && i !== password && HEADERS.name.test(c));
    return { columns: { name, address, password }, hasHeader: true };
  }
  const found = first.cells.findIndex(looksLikeAddress);
  if (found > 0) return { columns: { name: 0, address: found, password: found + 1 }, hasHeader: false };
  if (found === 0) return { columns: { name: 1, address: 0, password: 2 }, hasHeader: false };
  // One column with neither `@` nor header: the parts before the `@` of our own domain.
  const single = first.cells.length === 1 && domain !== '';
  return { columns: { name: single ? -1 : 0, address: single ? 0 : 1, password: 2 }, hasHeader: false };
}

/** Reads pasted people. `domain` completes addresses that are given without their `@`. */
export function parsePeople(text: string, domain: string): CsvResult {
  const records = splitCsv(text.replace(/^\uFEFF/, ''), guessSeparator(text));
  const result: CsvResult = { people: [], problems: [] };
  const first = records[0];
  if (!first) return result;
  const { columns, hasHeader } = columnsOf(first, domain);
  const seen = new Set<string>();
  for (const record of hasHeader ? records.slice(1) : records) {
    const cell = (i: number) => (i < 0 ? '' : (record.cells[i] ?? ''));
    const given = cell(columns.address);
    const address = domain !== '' && isLocalPart(given) ? `${given}@${domain}` : given;
    const fail = (reason: CsvReason) =>
      result.problems.push({ line: record.line, reason, text: record.cells.filter((_, i) => i !== columns.password).join(' · ') });
    if (result.people.length >= MAX_ROWS) { fail('too-many'); break; }
    if (address === '') fail('address-missing');
    else if (!looksLikeAddress(address)) fail('address-bad');
    else if (seen.has(address.toLowerCase())) fail('address-twice');
    else {
      seen.add(address.toLowerCase());
      result.people.push({ line: record.line, name: cell(columns.name), address, password: cell(columns.password) });
    }
  }
  return result;
}
