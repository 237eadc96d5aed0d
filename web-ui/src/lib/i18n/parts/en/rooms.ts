// The rooms of the administration, and what all of its lists say.
export const rooms = {
  'pager.name': 'Pages of the list',
  'pager.part': '{first} to {last} of {found}',
  'pager.back': 'Back',
  'pager.next': 'Next',
  'sort.by': 'Sort by',
  'filter.all': 'All',
  'filter.nothing': 'Nothing fits these filters.',
  'list.hidden.one': 'One more is not shown. The search finds it.',
  'list.hidden.other': '{n} more are not shown. The search finds them.',
  'admin.wing.people': 'People',
  'admin.wing.mail': 'Mail',
  'admin.wing.server': 'Server',
  'admin.deleted': 'Deleted mailboxes',
  'admin.storage': 'Space and deleted mail',
} as const;
