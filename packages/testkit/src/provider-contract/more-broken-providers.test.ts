import {
  type BackupSink,
  type ByteStream,
  codeOf,
  HoldfastError,
  type Intent,
  type Provider,
  type RestoreSource,
  type RunContext,
  type StoredFile,
} from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { concat } from '../bytes.ts'
import { tarOf } from '../tar-bytes.ts'
import { failuresOn, type Mistake, mustBeCaught, secret } from './suite-on.ts'

const signal = new AbortController().signal
const forgotten = { update: async () => {}, undo: async () => {}, keep() {} }

const withFiles = (source: RestoreSource, change: (file: StoredFile) => Partial<StoredFile>): RestoreSource => ({
  ...source,
  files: source.files.map((file) => ({ ...file, ...change(file) })),
})
const withStreams = (sink: BackupSink, change: (item: Parameters<BackupSink['stream']>[0]) => Parameters<BackupSink['stream']>[0]) => ({
  ...sink,
  stream: (item: Parameters<BackupSink['stream']>[0]) => sink.stream(change(item)),
})

/** A provider of one opaque stream, as one of databases is: what it puts is not known to be an archive. */
const opaque = (sound: Provider): Pick<Provider, 'backup' | 'restore'> => ({
  backup: (request, sink, run) =>
    sound.backup(
      request,
      withStreams(sink, (item) => ({ name: item.name, format: 'bytes', open: item.open })),
      run,
    ),
  restore: (request, source, run) =>
    sound.restore(
      request,
      withFiles(source, () => ({ format: 'tar' })),
      run,
    ),
})

async function* goingOn(bytes: ByteStream): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (error) {
    if (codeOf(error) !== 'CHECKSUM_MISMATCH') throw error
  }
}
async function* fromMemory(bytes: ByteStream): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk) // lent, and kept
  yield concat(chunks)
}
const orAborted = <Result>(promise: Promise<Result>, { signal: { aborted } = signal }: Partial<RunContext>): Promise<Result> =>
  promise.catch((error) => {
    throw aborted || codeOf(error) === 'ABORTED' ? new HoldfastError('PROVIDER_FAILED', 'the connection is gone') : error
  })
/** Every intent is written down, and keep() is never called. */
const neverKept = (run: RunContext): RunContext => ({
  ...run,
  intend: async (kind, data) => ({ ...(await run.intend(kind, data)), keep() {} }),
})

const content: { readonly [mistake: string]: Mistake } = {
  'restores another content than that of the point, which no format proves': {
    shape: 'tarVolume',
    caughtBy: 'restore > a restored copy',
    says: /the copy, backed up again, differs/,
    breakIt(sound) {
      const { backup, restore } = opaque(sound)
      const other = async () => [tarOf(new Map([['other', new Uint8Array(9)]]))].values() as unknown as ByteStream
      return {
        backup,
        async restore(request, source, run) {
          for (const file of source.files) for await (const _ of await file.open(run));
          return restore(
            request,
            withFiles(source, () => ({ open: other })),
            run,
          )
        },
      }
    },
  },
  'delivers a stream whose hash does not match at its end': {
    shape: 'tarVolume',
    caughtBy: 'restore > damaged bytes',
    says: /found damaged at their end: did not reject/,
    breakIt: (sound) => ({
      restore: (request, source, run) =>
        sound.restore(
          request,
          withFiles(source, (file) => ({ open: async (options) => goingOn(await file.open(options)) })),
          run,
        ),
    }),
  },
  'delivers a disk of which a piece could not be read': {
    shape: 'rawDisk',
    caughtBy: 'restore > damaged bytes',
    breakIt: (sound) => ({
      restore(request, source, run) {
        const disks = source.disks.map((disk) => ({
          ...disk,
          async open(options: { readonly signal: AbortSignal }) {
            const blocks = await disk.open(options)
            return { ...blocks, readInto: (...read: Parameters<typeof blocks.readInto>) => blocks.readInto(...read).catch(() => {}) }
          },
        }))
        return sound.restore(request, { ...source, disks }, run)
      },
    }),
  },
  'keeps chunks that are only lent': {
    shape: 'tarVolume',
    caughtBy: 'restore > a chunk of a stream',
    says: /^a chunk was used after the next one was asked for/,
    breakIt: (sound) => ({
      restore: (request, source, run) =>
        sound.restore(
          request,
          withFiles(source, (file) => ({ open: async (options) => fromMemory(await file.open(options)) })),
          run,
        ),
    }),
  },
}

const intents: { readonly [mistake: string]: Mistake } = {
  'cleans up in finally what it stored no intent for': {
    shape: 'tarVolume',
    caughtBy: 'undo > all that is there when it dies',
    says: /left: "container unnoted-/,
    breakIt: (sound, { platform }) => ({
      async backup(request, sink, run) {
        await run.intend('remove-helper', { helper: 'nothing' })
        await platform.volumes.createHelper(`unnoted-${run.mark.run}`, [request.workload], run.mark, run)
        try {
          return await sound.backup(request, sink, run)
        } finally {
          await platform.volumes.removeHelper(`unnoted-${run.mark.run}`, run.mark, { signal })
        }
      },
    }),
  },
  'has something there during a backup while no intent is open': {
    shape: 'esxiLike',
    caughtBy: 'backup > whatever it makes while it runs',
    says: /and no intent is open$/,
    breakIt: (sound) => ({ backup: (request, sink, run) => sound.backup(request, sink, { ...run, intend: async () => forgotten }) }),
  },
  'has something there during a restore while no intent is open': {
    shape: 'rawDisk',
    caughtBy: 'restore > whatever it makes while it runs',
    says: /and no intent is open$/,
    breakIt: (sound) => ({ restore: (request, source, run) => sound.restore(request, source, { ...run, intend: async () => forgotten }) }),
  },
  'goes on without an intent that could not be stored': {
    shape: 'rawDisk',
    caughtBy: 'restore > stores an intent before each side effect',
    says: /could not be stored, and the restore went on$/,
    breakIt: (sound) => ({
      restore: (request, source, run) =>
        sound.restore(request, source, { ...run, intend: (...given) => run.intend(...given).catch(() => forgotten) }),
    }),
  },
  'does not keep what it has delivered': {
    shape: 'esxiLike',
    caughtBy: 'restore > a restored copy',
    says: /^intent.keep\(\) is missing/,
    breakIt: (sound) => ({ restore: (request, source, run) => sound.restore(request, source, neverKept(run)) }),
  },
  'loses what it has delivered because it does not keep it': {
    shape: 'tarVolume',
    caughtBy: 'restore > a restored copy',
    says: /is intent.keep\(\) missing\?/,
    breakIt: (sound) => ({ restore: (request, source, run) => sound.restore(request, source, neverKept(run)) }),
  },
  'finds no leftovers': {
    shape: 'rawDisk',
    caughtBy: 'restore > leftovers are intents',
    says: /^leftovers gave nothing although a restore of damaged bytes left "disk /,
    breakIt: () => ({ async *leftovers() {} }),
  },
  'takes what was delivered for a leftover': {
    shape: 'rawDisk',
    caughtBy: 'restore > leftovers leave out',
    breakIt: (sound, { platform }) => ({
      async *leftovers(options) {
        yield* sound.leftovers?.(options) ?? []
        for (const { id, name, mark, unfinished } of await platform.machines.list(options)) {
          const intent = { id, provider: 'provider', kind: 'remove-machine', data: { name }, kept: false } satisfies Omit<Intent, 'mark'>
          if (mark && !unfinished) yield { ...intent, mark }
        }
      },
    }),
  },
  'is shown by a platform that hides unfinished work': {
    shape: 'rawDisk',
    caughtBy: 'restore > a test restore leaves nothing',
    says: /^things\(\) shows nothing of a test restore/,
    breakIt: () => ({}),
    shows: (all) => all.filter(({ state }) => !(state as { readonly unfinished?: boolean }).unfinished),
  },
}

const aborts: { readonly [mistake: string]: Mistake } = {
  'lists its inventory after an abort': {
    shape: 'tarVolume',
    caughtBy: 'inventory > check and inventory reject',
    says: /^the inventory with an aborted signal: did not reject$/,
    breakIt: (sound) => ({ workloads: (options) => sound.workloads({ ...options, signal }) }),
  },
  'checks after an abort': {
    shape: 'tarVolume',
    caughtBy: 'inventory > check and inventory reject',
    breakIt: (sound) => ({ check: () => sound.check({ signal }) }),
  },
  'calls an aborted backup a failure of the platform': {
    shape: 'tarVolume',
    caughtBy: 'backup > aborted before it starts',
    says: /neither with ABORTED nor with the reason of its signal$/,
    breakIt: (sound) => ({ backup: (request, sink, run) => orAborted(sound.backup(request, sink, run), run) }),
  },
  'calls an aborted restore a failure of the platform': {
    shape: 'rawDisk',
    caughtBy: 'restore > aborted, rejects soon',
    says: /neither with ABORTED nor with the reason of its signal$/,
    breakIt: (sound) => ({ restore: (request, source, run) => orAborted(sound.restore(request, source, run), {}) }),
  },
  'has streams that take no notice of an abort': {
    shape: 'esxiLike',
    caughtBy: 'backup > aborted while an item is open',
    says: /was aborted before its first byte, and ended after \d+ instead of rejecting$/,
    breakIt: (sound) => ({
      backup: (request, sink, run) =>
        sound.backup(
          request,
          withStreams(sink, (item) => ({ ...item, open: () => item.open({ signal }) })),
          run,
        ),
    }),
  },
}

const words: { readonly [mistake: string]: Mistake } = {
  'never makes a backup': {
    shape: 'rawDisk',
    caughtBy: 'backup > stores an intent before each side effect',
    says: /^no backups on Sundays$/,
    breakIt: () => ({ backup: () => Promise.reject(new HoldfastError('PROVIDER_FAILED', 'no backups on Sundays')) }),
  },
  'never restores': {
    shape: 'rawDisk',
    caughtBy: 'restore > stores an intent before each side effect',
    says: /^no restores on Sundays$/,
    breakIt: () => ({ restore: () => Promise.reject(new HoldfastError('PROVIDER_FAILED', 'no restores on Sundays')) }),
  },
  'lists everything when it is asked for one': {
    shape: 'tarVolume',
    caughtBy: 'inventory > gives one workload by its id',
    says: /^workloads\(\{ id: 'shop-db' \}\) gave bystander, shop-db, not shop-db$/,
    breakIt: (sound) => ({ workloads: () => sound.workloads({ signal }) }),
  },
  'does not find what it delivered': {
    shape: 'rawDisk',
    caughtBy: 'restore > delivered knows',
    says: /^delivered\(\) does not know what this run delivered$/,
    breakIt: () => ({ delivered: async () => undefined }),
  },
  'says its password in a step': {
    shape: 'rawDisk',
    caughtBy: 'restore > a restored copy',
    says: /^a secret left the provider, in the text of a step: "writing to <secret>"$/,
    breakIt: (sound) => ({
      restore(request, source, run) {
        run.step(`writing to ${secret}`)
        return sound.restore(request, source, run)
      },
    }),
  },
  'writes its password into an intent': {
    shape: 'esxiLike',
    caughtBy: 'backup > leaves the platform as it was',
    says: /in the updated data of intent "remove-snapshot": "password: <secret>"$/,
    breakIt: (sound) => ({
      async backup(request, sink, run) {
        const intend: RunContext['intend'] = async (kind, data) => {
          const intent = await run.intend(kind, data)
          await intent.update({ password: secret })
          await intent.update(data)
          return intent
        }
        return sound.backup(request, sink, { ...run, intend })
      },
    }),
  },
  'shows its password in the inventory': {
    shape: 'rawDisk',
    caughtBy: 'inventory > lists each workload once',
    says: /in workload "vm-\d": /,
    breakIt: (sound) => ({
      async *workloads(options) {
        for await (const workload of sound.workloads(options)) yield { ...workload, details: { url: `https://admin:${secret}@host` } }
      },
    }),
  },
  'accepts any option of a probe': {
    shape: 'rawDisk',
    caughtBy: 'options > misspelt options are refused',
    says: /^probe: a misspelt option is accepted$/,
    breakIt: (sound) => ({
      probe: { run: async () => ({ verdict: 'ok', evidence: 'nothing was asked' }) },
      parseOptions: (use, input) => (use === 'probe' ? {} : (sound.parseOptions?.(use, input) ?? null)),
    }),
  },
}

describe('the provider suite catches a provider that', () => {
  for (const [name, mistake] of Object.entries({ ...content, ...intents, ...aborts, ...words })) it(name, () => mustBeCaught(mistake))
})

/** Unlike the mistakes above, each of these is right. */
const sound: { readonly [way: string]: Omit<Mistake, 'caughtBy'> } = {
  'puts one opaque stream': { shape: 'tarVolume', breakIt: opaque },
  'puts opaque streams that differ in what contentOf leaves out': {
    shape: 'tarVolume',
    options: { contentOf: (item) => item.bytes.length },
    breakIt: opaque,
  },
  'has options with defaults, and takes them as parseOptions gave them': {
    shape: 'rawDisk',
    options: { backupOptions: { quick: true } },
    breakIt: ({ backup, restore }) => ({
      parseOptions(_use, input) {
        const { quick = false, ...others } = input as { readonly quick?: boolean }
        const [unknown] = Object.keys(others)
        if (unknown !== undefined) throw new HoldfastError('INVALID_OPTIONS', `${unknown} is not known`)
        return { quick }
      },
      backup(request, sink, run) {
        expect(request.options).toEqual({ quick: true })
        return backup(request, sink, run)
      },
      restore(request, source, run) {
        expect(request.options).toEqual({ quick: false })
        return restore(request, source, run)
      },
    }),
  },
}

describe('the provider suite lets pass a provider that', () => {
  for (const [name, way] of Object.entries(sound))
    it(name, async () => {
      expect(await failuresOn(way)).toEqual([])
    })
})
