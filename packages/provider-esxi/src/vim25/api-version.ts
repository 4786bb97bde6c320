import { HoldfastError } from '@holdfast/core/spec'
import { childOf, parseXml } from './xml.ts'

/** What this software was written for. */
const newestVersion = '9.0.0.0'
const oldestVersion = '6.5'

const parts = (version: string): readonly number[] => version.split('.').map((part) => Number.parseInt(part, 10) || 0)

/** Below 0: the first is older. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [parts(one), parts(other)]
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The version of `urn:vim25` in the list that a host publishes; `undefined` when it is no such list. */
function offeredIn(text: string): string | undefined {
  try {
    const namespace = parseXml(text).children.find((child) => childOf(child, 'name')?.text.trim() === 'urn:vim25')
    return namespace === undefined ? undefined : childOf(namespace, 'version')?.text.trim()
  } catch {
    return undefined
  }
}

/**
 * The newest version of the API that both sides know, from what `/sdk/vimServiceVersions.xml` answered. A call without a version is answered as ten years ago.
 * @throws PROVIDER_FAILED: this is no vSphere host. UNSUPPORTED: it is too old.
 */
export function chooseVersion(at: string, { status, text }: { readonly status: number; readonly text: string }): string {
  const offered = status === 200 ? offeredIn(text) : undefined
  if (offered === undefined)
    throw new HoldfastError(
      'PROVIDER_FAILED',
      `${at} is no vSphere host: it does not say which versions of the API it knows (HTTP ${status}).`,
      {
        retryable: status >= 500,
        remedy: 'Give the address of an ESXi host or a vCenter server.',
      },
    )
  if (compareVersions(offered, oldestVersion) < 0)
    throw new HoldfastError('UNSUPPORTED', `${at} knows version ${offered} of the API; ${oldestVersion} and newer can be used.`)
  return compareVersions(offered, newestVersion) < 0 ? offered : newestVersion
}
