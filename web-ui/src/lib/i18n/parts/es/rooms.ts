// The rooms of the administration, and what all of its lists say.
import type { rooms as en } from '../en/rooms';

export const rooms: Record<keyof typeof en, string> = {
  'pager.name': 'Páginas de la lista',
  'pager.part': '{first} a {last} de {found}',
  'pager.back': 'Anterior',
  'pager.next': 'Siguiente',
  'sort.by': 'Ordenar por',
  'filter.all': 'Todos',
  'filter.nothing': 'Nada coincide con estos filtros.',
  'list.hidden.one': 'Hay una línea más que no se muestra. La búsqueda la encuentra.',
  'list.hidden.other': 'Hay {n} líneas más que no se muestran. La búsqueda las encuentra.',
  'admin.wing.people': 'Personas',
  'admin.wing.mail': 'Correo',
  'admin.wing.server': 'Servidor',
  'admin.deleted': 'Buzones eliminados',
  'admin.storage': 'Espacio y correo eliminado',
};
