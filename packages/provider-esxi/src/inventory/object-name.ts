/**
 * A name as people know it: in names of objects hosts send `%2f`, `%5c` and `%25` for `/`, `\` and `%`. Everything else is as it stands.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.ManagedEntity.html, property `name`.
 */
export const decodeName = (name: string): string =>
  name.replaceAll(/%(2f|5c|25)/gi, (sent) => String.fromCharCode(Number.parseInt(sent.slice(1), 16)))

/** The same name as it is given to a host. */
export const encodeName = (name: string): string => name.replaceAll(/[%/\\]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
