/** What is wrong with the name or address of a host, as people write it. Undefined: nothing. */
export function problemOfHost(text: string): string | undefined {
  if (text === '' || /[/@\s]/.test(text)) return 'expected a host name or an address, without scheme, user, path and spaces'
  if (/^\[.*\]/.test(text)) return 'expected an IPv6 address without brackets; its port goes into "port"'
  if (/^[^:]*:[^:]*$/.test(text)) return 'expected a host name or an address; its port goes into "port"'
  return undefined
}
