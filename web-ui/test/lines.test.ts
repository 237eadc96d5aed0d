import { describe, expect, test } from 'vitest';
import { linesOf } from '../src/lib/lines';

describe('a list in a text field', () => {
  test.each([
    ['a line each', 'a@x.test\nb@x.test\n', ['a@x.test', 'b@x.test']],
    ['as people paste them', 'a@x.test, b@x.test; c@x.test d@x.test', ['a@x.test', 'b@x.test', 'c@x.test', 'd@x.test']],
    ['domains', 'one.test two.test', ['one.test', 'two.test']],
    ['a group whose name has blanks', 'anna@x.test\nAll of us@x.test\n', ['anna@x.test', 'All of us@x.test']],
    ['nothing', ' \n ', []],
  ])('%s', (_, text, expected) => {
    expect(linesOf(text)).toEqual(expected);
  });
});
