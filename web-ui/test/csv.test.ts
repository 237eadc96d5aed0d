import { describe, expect, test } from 'vitest';
import { guessSeparator, looksLikeAddress, MAX_ROWS, parsePeople, splitCsv } from '../src/lib/csv';

const who = (text: string, domain = '') => parsePeople(text, domain).people.map((p) => [p.name, p.address, p.password]);

describe('people from a spreadsheet', () => {
  test.each([
    ['pasted cells', 'Anna Berg\tanna@office.test\tsecret-anna\nBo\tbo@office.test\t',
      [['Anna Berg', 'anna@office.test', 'secret-anna'], ['Bo', 'bo@office.test', '']]],
    ['German CSV with header and BOM', '\uFEFFName;E-Mail;Passwort\r\n"Berg; Anna";anna@office.test;geheim-1\r\n',
      [['Berg; Anna', 'anna@office.test', 'geheim-1']]],
    ['columns in another order', 'Email,Password,Name\nanna@office.test,pw-1234567,Anna\n', [['Anna', 'anna@office.test', 'pw-1234567']]],
    ['address first, no header', 'anna@office.test,Anna\n', [['Anna', 'anna@office.test', '']]],
    ['quotes in quotes, line end in a cell', '"Anna ""A""\nBerg",anna@office.test\n', [['Anna "A"\nBerg', 'anna@office.test', '']]],
    ['empty lines', '\n\nAnna,anna@office.test\n\n', [['Anna', 'anna@office.test', '']]],
    ['nothing', ' \n', []],
  ])('%s', (_, text, expected) => {
    expect(who(text)).toEqual(expected);
  });

  test('local parts get the domain of the office', () => {
    expect(who('Anna,anna\nBo,bo', 'office.test')).toEqual([['Anna', 'anna@office.test', ''], ['Bo', 'bo@office.test', '']]);
    expect(who('anna\nbo', 'office.test').map((p) => p[1])).toEqual(['anna@office.test', 'bo@office.test']);
  });

  test('says line by line what is wrong, without the password', () => {
    const { people, problems } = parsePeople('Name,Mail,Password\nA,a@x.test,p\nB,,pw-b\nC,c@@x,pw-c\nD,A@X.test,pw-d\n', '');
    expect(people).toHaveLength(1);
    expect(problems.map((p) => [p.line, p.reason])).toEqual([[3, 'address-missing'], [4, 'address-bad'], [5, 'address-twice']]);
    expect(JSON.stringify(problems)).not.toContain('pw-');
  });

  test('line numbers count lines inside quotes', () => {
    expect(splitCsv('"a\nb",x\nc,y', ',').map((r) => r.line)).toEqual([1, 3]);
  });

  test('stops at the most the box takes', () => {
    const text = Array.from({ length: MAX_ROWS + 3 }, (_, i) => `P${i},p${i}@office.test`).join('\n');
    const { people, problems } = parsePeople(text, '');
    expect(people).toHaveLength(MAX_ROWS);
    expect(problems.map((p) => p.reason)).toEqual(['too-many']);
  });

  test('separators and addresses', () => {
    expect(['a\tb;c', 'a;b;c', 'a,b;c,d', 'a'].map(guessSeparator)).toEqual(['\t', ';', ',', '\t']);
    expect(['a@b.c', 'ä@bücher.test', 'a@b', '@b.c', 'a b@c.d', 'a@b..c', 'a@b.c.'].map(looksLikeAddress))
      .toEqual([true, true, false, false, false, false, false]);
  });
});
