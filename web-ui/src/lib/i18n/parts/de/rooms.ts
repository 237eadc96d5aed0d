// The rooms of the administration, and what all of its lists say.
import type { rooms as en } from '../en/rooms';

export const rooms: Record<keyof typeof en, string> = {
  'pager.name': 'Seiten der Liste',
  'pager.part': '{first} bis {last} von {found}',
  'pager.back': 'Zurück',
  'pager.next': 'Weiter',
  'sort.by': 'Sortieren nach',
  'filter.all': 'Alle',
  'filter.nothing': 'Zu diesen Filtern passt nichts.',
  'list.hidden.one': 'Eine weitere Zeile wird nicht gezeigt. Die Suche findet sie.',
  'list.hidden.other': '{n} weitere Zeilen werden nicht gezeigt. Die Suche findet sie.',
  'admin.wing.people': 'Personen',
  'admin.wing.mail': 'Mail',
  'admin.wing.server': 'Server',
  'admin.deleted': 'Gelöschte Postfächer',
  'admin.storage': 'Platz und gelöschte Mail',
};
