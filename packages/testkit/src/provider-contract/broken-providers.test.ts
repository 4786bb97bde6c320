import { HoldfastError, type Intent, type Json, type Mark, type RestoreSource, type RunContext } from '@holdfast/core/spec'
import { describe, it } from 'vitest'
import { memoryBlocks } from '../memory-blocks.ts'
import { type Mistake, mustBeCaught, secret } from './suite-on.ts'

const signal = new AbortController().signal
const someone: Mark = { system: 'nobody', plan: 'nobody', run: 'nobody', attempt: 1 }
/** The run without its intents: every intend resolves, and nothing is stored. */
const forgetful = (run: RunContext): RunContext => ({
  ...run,
  intend: async () => ({ update: async () => {}, undo: async () => {}, keep() {} }),
})
const withoutSignal = (run: RunContext): RunContext => ({ ...run, signal })
const shortened = (source: RestoreSource): RestoreSource => ({
  ...source,
  disks: source.disks.map(({ file: _, ...disk }) => ({
    ...disk,
    async open(options) {
      const whole = await disk.open(options)
      return { ...memoryBlocks(new Uint8Array(disk.size)), extents: whole.extents, size: disk.size }
    },
  })),
})

/** Each breaks one promise of a provider that keeps all others. */
const broken: { readonly [mistake: string]: Mistake } = {
  'stores no intents': {
    shape: 'esxiLike',
    caughtBy: 'backup > rejects with the sink',
    breakIt: (sound) => ({ backup: (request, sink, run) => sound.backup(request, sink, forgetful(run)) }),
  },
  'stores its intent after the side effect': {
    shape: 'tarVolume',
    caughtBy: 'backup > stores an intent before each side effect',
    breakIt: (sound, { platform }) => ({
      async backup(request, sink, run) {
        const helper = `early-${run.mark.run}`
        await platform.volumes.createHelper(helper, [request.workload], run.mark, run)
        await run.intend('remove-helper', { helper })
        return sound.backup(request, sink, run)
      },
    }),
  },
  'restores with its intents stored too late': {
    shape: 'ovirtLike',
    caughtBy: 'restore > stores an intent before each side effect',
    breakIt: (sound, { platform }) => ({
      async restore(request, source, run) {
        await platform.machines.createDisk(`early-${run.mark.run}`, { key: 'x', name: 'x', size: 65536 }, run.mark, run)
        await run.intend('remove-disk', { disk: `early-${run.mark.run}` })
        return sound.restore(request, source, run)
      },
    }),
  },
  'makes things without the mark': {
    shape: 'tarVolume',
    caughtBy: 'backup > whatever it makes while it runs carries the mark',
    breakIt: (sound, { platform }) => ({
      async backup(request, sink, run) {
        await platform.volumes.createHelper('mine', [request.workload], someone, run)
        const result = await sound.backup(request, sink, run)
        await platform.volumes.removeHelper('mine', someone, run)
        return result
      },
    }),
  },
  'tries a write in its check': {
    shape: 'tarVolume',
    caughtBy: 'inventory > check reads only',
    breakIt: (sound, { platform }) => ({
      async check(options) {
        await platform.volumes.create({ name: 'trial', role: 'trial', mark: someone }, options)
        return sound.check(options)
      },
    }),
  },
  'cannot undo twice': {
    shape: 'esxiLike',
    caughtBy: 'undo > another instance undoes a dead attempt',
    breakIt(sound) {
      const undone = new Set<string>()
      const once = (intent: Intent) => {
        const key = JSON.stringify(intent.data)
        if (undone.has(key)) throw new HoldfastError('NOT_FOUND', 'it is gone already')
        undone.add(key)
      }
      return {
        async undo(intent, options) {
          once(intent)
          return sound.undo(intent, options)
        },
      }
    },
  },
  'remembers what to undo only in memory': {
    shape: 'tarVolume',
    caughtBy: 'undo > another instance undoes a dead attempt',
    breakIt(sound) {
      let mine = false
      return {
        backup(request, sink, run) {
          mine = true
          return sound.backup(request, sink, run)
        },
        undo: async (intent, options) => (mine ? sound.undo(intent, options) : 'undone'),
      }
    },
  },
  'undoes by name, whoever made it': {
    shape: 'tarVolume',
    caughtBy: 'undo > undo for another attempt touches nothing',
    breakIt: (sound, { platform }) => ({
      async undo(intent, options) {
        const made = (await platform.volumes.helpers(options)).find(({ name }) => name === (intent.data as { helper?: string }).helper)
        return sound.undo(made ? { ...intent, mark: made.mark } : intent, options)
      },
    }),
  },
  'calls what it does not know undone': {
    shape: 'rawDisk',
    caughtBy: 'undo > an intent of an unknown kind',
    breakIt: (sound) => ({ undo: (intent, options) => sound.undo(intent, options).catch(() => 'undone' as const) }),
  },
  'removes what was delivered': {
    shape: 'esxiLike',
    caughtBy: 'restore > delivered knows a restore',
    breakIt: (sound, { platform }) => ({
      async undo(intent, options) {
        const machine = (await platform.machines.list(options)).find(({ mark }) => mark?.run === intent.mark.run)
        if (machine) await platform.machines.removeMachineNamed(machine.name, options)
        return sound.undo(intent, options)
      },
    }),
  },
  'takes no notice of an abort': {
    shape: 'tarVolume',
    caughtBy: 'restore > aborted, rejects soon',
    says: /^an aborted restore: did not reject$/,
    breakIt: (sound) => ({ restore: (request, source, run) => sound.restore(request, source, withoutSignal(run)) }),
  },
  'hangs when it is aborted': {
    shape: 'rawDisk',
    caughtBy: 'backup > aborted while an item is open',
    breakIt: (sound) => ({
      backup: (request, sink, run) =>
        sound.backup(request, sink, run).catch((error) => (run.signal.aborted ? new Promise(() => {}) : Promise.reject(error))),
    }),
  },
  'makes an empty backup of a workload that is not there': {
    shape: 'tarVolume',
    caughtBy: 'backup > rejects with NOT_FOUND',
    breakIt: (sound) => ({
      backup: (request, sink, run) =>
        sound.backup(request, sink, run).catch((error) => {
          if (error.code !== 'NOT_FOUND') throw error
          return { description: {}, consistency: 'off' as const, skipped: [] }
        }),
    }),
  },
  'goes on when an item could not be stored': {
    shape: 'esxiLike',
    caughtBy: 'backup > rejects with the sink',
    breakIt: (sound) => ({
      backup: (request, sink, run) => {
        const stream: typeof sink.stream = (item) =>
          sink.stream(item).catch((error) => {
            if (item.format === 'vmdk') throw error
            return { size: 0, sha256: '', kept: false }
          })
        return sound.backup(request, { ...sink, stream }, run)
      },
    }),
  },
  'answers with more than JSON': {
    shape: 'rawDisk',
    caughtBy: 'backup > puts items with names of their own',
    breakIt: (sound) => ({
      backup: async (...given) => ({ ...(await sound.backup(...given)), description: { at: new Date(0) } as unknown as Json }),
    }),
  },
  'restores zeros': {
    shape: 'rawDisk',
    caughtBy: 'restore > a restored copy',
    breakIt: (sound) => ({ restore: (request, source, run) => sound.restore(request, shortened(source), run) }),
  },
  'gives a restore another name when its own is taken': {
    shape: 'rawDisk',
    caughtBy: 'restore > a name that is taken',
    breakIt: (sound) => ({
      restore: (request, source, run) =>
        sound.restore(request, source, run).catch((error) => {
          if (error.code !== 'NAME_TAKEN') throw error
          return sound.restore({ ...request, name: `${request.name}-2` }, source, { ...run, mark: { ...run.mark, attempt: 9 } })
        }),
    }),
  },
  'accepts any option': {
    shape: 'tarVolume',
    caughtBy: 'options > misspelt options are refused',
    breakIt: () => ({ parseOptions: (_use, input) => input as Json }),
  },
  'says its password when something fails': {
    shape: 'tarVolume',
    caughtBy: 'backup > rejects with NOT_FOUND',
    says: /^a secret left the provider, in the message of the error of backup of nobody: ".*admin:<secret>@host"/,
    breakIt: (sound) => ({
      backup: (request, sink, run) =>
        sound.backup(request, sink, run).catch((error) => {
          throw new HoldfastError(error.code, `${error.message} at https://admin:${secret}@host`, { cause: error })
        }),
    }),
  },
}

describe('the provider suite catches a provider that', () => {
  for (const [name, mistake] of Object.entries(broken)) it(name, () => mustBeCaught(mistake))
})
