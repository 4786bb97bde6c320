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

const isNumbered = (version: string): boolean => /^\d+(\.\d+)*$/.test(version)

/** The versions of `urn:vim25` in the list that a host publishes, newest first; none when it is no such list. The newest of a host may have no number. */
function offeredIn(text: string): readonly string[] {
  try {
    const namespace = parseXml(text).children.find((child) => childOf(child, 'name')?.text.trim() === 'urn:vim25')
    const prior = namespace && childOf(namespace, 'priorVersions')
    const all = [...(namespace?.children ?? []), ...(prior?.children ?? [])].filter(({ name }) => name === 'version')
    return all.map((version) => version.text.trim()).filter(isNumbered)
  } catch {
    return []
  }
}

/**
 * The newest version of the API that both sides know, from what `/sdk/vimServiceVersions.xml` answered. A call without a version is answered as ten years ago.
 * @throws PROVIDER_FAILED: this is no vSphere host. UNSUPPORTED: it is too old.
 */
export function chooseVersion(at: string, { status, text }: { readonly status: number; readonly text: string }): string {
  const offered = (status === 200 ? offeredIn(text) : []).toSorted((one, other) => compareVersions(other, one))
  const [newest] = offered
  if (newest === undefined)
    throw new HoldfastError(
      'PROVIDER_FAILED',
      `${at} is no vSphere host: it does not say which versions of the API it knows (HTTP ${status}).`,
      {
        retryable: status >= 500,
        remedy: 'Give the address of an ESXi host or a vCenter server.',
      },
    )
  if (compareVersions(newest, oldestVersion) < 0)
    throw new HoldfastError('UNSUPPORTED', `${at} knows version ${newest} of the API; ${oldestVersion} and newer can be used.`, {
      remedy: 'Update the host.',
    })
  const known = (version: string): boolean => compareVersions(version, newestVersion) <= 0 && compareVersions(version, oldestVersion) >= 0
  return offered.find(known) ?? newestVersion
}
