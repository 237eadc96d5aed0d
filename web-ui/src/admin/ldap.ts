// Where a mail domain stands in the directory (RFC 2247 §3): office.test -> dc=office,dc=test.
export const baseOf = (domain: string): string => domain.split('.').map((label) => `dc=${label}`).join(',');
