import type { CallHook, CallPoint } from '@holdfast/testkit'
import { methods } from '../../src/vim25/methods.ts'
import type { MethodEntry } from '../../src/vim25/schema/schema-entry.ts'

/** Views, filters and collectors show what is there, and the host forgets them with the session; a word about a lease is told again and again. */
const ofSession =
  /^(CreateContainerView|DestroyView|(Create|Destroy)(Property)?(Filter|Collector)|(Cancel)?WaitForUpdates.*|.*RetrievePropertiesEx|HttpNfcLeaseProgress)$/
const isSending = /^(POST|PUT) /
/** It is looked for runs, and leases are kept, as often as time wants; who works takes its run at once. */
const inTime = ({ method, count }: CallPoint): boolean => method === 'runs.renew' || (method === 'runs.take' && count > 2)
const storeReads = /^(.*\.)?(list\(\)\.next|list|get|due|cursors|catalog|workloads\(\)\.next|history\(\)\.next)$/
const fileEffects = new Set(['link', 'rename', 'unlink', 'symlink', 'mkdir', 'rmdir', 'open().write'])

function changesHost(method: string): boolean {
  const entry: MethodEntry | undefined = Object.hasOwn(methods, method) ? methods[method as keyof typeof methods] : undefined
  return entry?.reads !== true && !ofSession.test(method) && !/^(GET|HEAD) /.test(method)
}

function changesFiles({ method, arguments: given }: CallPoint): boolean {
  return fileEffects.has(method) || (method === 'open' && given[1] !== 'read' && given[1] !== 'folder')
}

/** Whether somebody else can see a difference between the moment before this call and the moment after it. */
function isEffect(point: CallPoint): boolean {
  if (point.seam === 'host') return changesHost(point.method)
  if (point.seam === 'store') return !storeReads.test(point.method) && !inTime(point)
  return point.seam === 'file-system' && changesFiles(point)
}

/**
 * Lets pass what is worth a death of its own. Between two calls that change something on the host, in the repository or in the catalog nobody else can tell where
 * the process stands: all points in between are one, and the last of them, just before the next change, stands for them. What the repository and the provider
 * do is seen as what they call. A host goes on by itself with what it was asked for: the moment after its answer is one of its own. While something is sent to
 * the host, each read is followed by a part of the request, and every point counts.
 */
export function effectsOnly(hook: CallHook): CallHook {
  let sending = 0
  return (point) => {
    const sends = point.seam === 'host' && isSending.test(point.method)
    if (sends && point.phase === 'before') sending += 1
    const passes = isEffect(point) ? point.phase === 'before' || point.seam === 'host' : sending > 0 && point.seam !== 'store'
    if (sends && point.phase === 'after') sending -= 1
    return passes ? hook(point) : undefined
  }
}
