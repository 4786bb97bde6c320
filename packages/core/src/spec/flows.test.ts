import { describe, expect, expectTypeOf, it } from 'vitest'
import type {
  BackupRequest,
  BackupResult,
  BackupSink,
  ByteStream,
  CallOptions,
  Disk,
  Fence,
  FenceResult,
  Intent,
  Json,
  Machine,
  ManifestRef,
  MappedBlocks,
  Mark,
  Notification,
  Observation,
  Observer,
  OutboxEvent,
  Outcome,
  PlanRow,
  PointRow,
  Provider,
  Receipt,
  Replication,
  RestoreRequest,
  RestoreResult,
  RestoreSource,
  RunContext,
  RunRequest,
  Snapshot,
  StoredIntent,
  Workload,
} from './index.ts'
import { bytesOf, collectBytes, HoldfastError } from './index.ts'

/** Turns what JSON would lose into `never`, all the way down. */
type Plain<T> = T extends Json | undefined
  ? T
  : T extends ((...values: never[]) => unknown) | Date | Error | Map<unknown, unknown> | Set<unknown> | Uint8Array
    ? never
    : { [Member in keyof T]: Json extends T[Member] ? T[Member] : Plain<T[Member]> }

describe('whatever crosses a process boundary is JSON', () => {
  it('is checked by the compiler', () => {
    expectTypeOf<Plain<BackupRequest>>().toEqualTypeOf<BackupRequest>()
    expectTypeOf<Plain<BackupResult>>().toEqualTypeOf<BackupResult>()
    expectTypeOf<Plain<RestoreRequest>>().toEqualTypeOf<RestoreRequest>()
    expectTypeOf<Plain<RestoreResult>>().toEqualTypeOf<RestoreResult>()
    expectTypeOf<Plain<Intent>>().toEqualTypeOf<Intent>()
    expectTypeOf<Plain<Mark>>().toEqualTypeOf<Mark>()
    expectTypeOf<Plain<Machine>>().toEqualTypeOf<Machine>()
    expectTypeOf<Plain<Workload>>().toEqualTypeOf<Workload>()
    expectTypeOf<Plain<Receipt>>().toEqualTypeOf<Receipt>()
    expectTypeOf<Plain<Snapshot>>().toEqualTypeOf<Snapshot>()
    expectTypeOf<Plain<Observation>>().toEqualTypeOf<Observation>()
    expectTypeOf<Plain<Notification>>().toEqualTypeOf<Notification>()
    expectTypeOf<Plain<RunRequest>>().toEqualTypeOf<RunRequest>()
    expectTypeOf<Plain<PlanRow>>().toEqualTypeOf<PlanRow>()
    expectTypeOf<Plain<PointRow>>().toEqualTypeOf<PointRow>()
    expectTypeOf<Plain<StoredIntent>>().toEqualTypeOf<StoredIntent>()
    expectTypeOf<Plain<ManifestRef>>().toEqualTypeOf<ManifestRef>()
    expectTypeOf<Plain<Outcome>>().toEqualTypeOf<Outcome>()
    expectTypeOf<Plain<OutboxEvent>>().toEqualTypeOf<OutboxEvent>()
    expectTypeOf<Plain<Replication>>().toEqualTypeOf<Replication>()
    type Leaky = { readonly at: Date }
    expectTypeOf<Plain<Leaky>>().not.toEqualTypeOf<Leaky>()
    const mark: Mark = { system: 's', plan: 'p', run: 'r', attempt: 1 }
    expect(JSON.parse(JSON.stringify(mark))).toEqual(mark)
  })
})

// ---------- what every flow runs against: it writes down what happened, in order ----------

const signal = new AbortController().signal
const mark: Mark = { system: 'shop', plan: 'nightly', run: '0123456789abcdef', attempt: 1 }

function recorder(): { run: RunContext; log: string[]; kept: string[] } {
  const log: string[] = []
  const kept: string[] = []
  const run: RunContext = {
    signal,
    mark,
    intend: async (kind) => {
      log.push(`intend ${kind}`)
      return {
        update: async () => void log.push(`update ${kind}`),
        undo: async () => void log.push(`undo ${kind}`),
        keep: () => void kept.push(kind),
      }
    },
    note: (level, code) => void log.push(`${level} ${code}`),
    step: () => {},
  }
  return { run, log, kept }
}

function recordingSink(log: string[], kept = true): BackupSink {
  return {
    async blocks(item) {
      const blocks = await item.open({ signal })
      log.push(`blocks ${item.disk.key} ${item.covers}${item.reason === undefined ? '' : `: ${item.reason}`}`)
      await blocks[Symbol.asyncDispose]()
    },
    async stream(item) {
      const bytes = await collectBytes(await item.open({ signal }), 1000)
      log.push(`stream ${item.name}`)
      return { size: bytes.length, sha256: `sha256 of ${item.name}`, sha1: `sha1 of ${item.name}`, kept }
    },
  }
}

const blocksOf = (size: number): MappedBlocks => ({
  size,
  readInto: async (target) => void target.fill(1),
  async *extents() {
    yield { offset: 0, length: size, kind: 'data' }
  },
  [Symbol.asyncDispose]: async () => {},
})
const machine: Machine = {
  name: 'web',
  cpus: 1,
  memoryBytes: 1,
  firmware: 'bios',
  guest: { family: 'linux' },
  disks: [{ key: 'd0', bus: 'scsi' }],
  networks: [],
}

describe('flow 1: an export whose descriptor is written last', () => {
  interface Export {
    readonly urls: readonly { readonly key: string; readonly disk: boolean }[]
    get(key: string, options: CallOptions): Promise<ByteStream>
    /** What the server counted, before the export is completed. */
    manifest(): Promise<readonly { readonly key: string; readonly size: number; readonly sha1: string }[]>
    end(complete: boolean): Promise<void>
  }
  async function backup(vm: string, lease: Export, sink: BackupSink, run: RunContext): Promise<BackupResult> {
    const name = `holdfast ${run.mark.plan} ${run.mark.run}.${run.mark.attempt}`
    const snapshot = await run.intend('remove-snapshot', { vm, name })
    await snapshot.update({ vm, name, snapshot: 'snapshot-1' })
    const received: { readonly key: string; readonly receipt: Receipt }[] = []
    let complete = false
    try {
      for (const { key, disk } of lease.urls) {
        const item = { name: `web-${key}`, digests: ['sha1'] as const, open: (options: CallOptions) => lease.get(key, options) }
        const receipt = await (disk
          ? sink.stream({ ...item, format: 'vmdk', disk: { key, name: item.name, size: 10 } })
          : sink.stream({ ...item, format: 'bytes' }))
        received.push({ key, receipt })
      }
      for (const { key, size, sha1 } of await lease.manifest()) {
        const receipt = received.find((each) => each.key === key)?.receipt
        if (receipt?.size !== size || receipt.sha1 !== sha1) throw new HoldfastError('CHECKSUM_MISMATCH', `${key} arrived changed`)
      }
      complete = true
    } finally {
      await lease.end(complete)
    }
    await sink.stream({ format: 'bytes', name: 'web.ovf', open: async () => bytesOf('<ovf/>') })
    if (received.every(({ receipt }) => receipt.kept)) {
      const lines = received.map(({ key, receipt }) => `SHA256(web-${key})= ${receipt.sha256}`)
      await sink.stream({ format: 'bytes', name: 'web.mf', open: async () => bytesOf(lines.join('\n')) })
    }
    return { description: { v: 1, descriptor: 'web.ovf' }, machine, consistency: 'crash', skipped: [] }
  }
  const lease = (log: string[], sha1: string): Export => ({
    urls: [
      { key: 'd0', disk: true },
      { key: 'nvram', disk: false },
    ],
    get: async () => bytesOf('four'),
    manifest: async () => [{ key: 'd0', size: 4, sha1 }],
    end: async (complete) => void log.push(complete ? 'complete' : 'abort'),
  })

  it('has every value when it needs it, and leaves the snapshot to the engine', async () => {
    const { run, log, kept } = recorder()
    await backup('vm-1', lease(log, 'sha1 of web-d0'), recordingSink(log), run)
    expect(log).toEqual([
      'intend remove-snapshot',
      'update remove-snapshot',
      'stream web-d0',
      'stream web-nvram',
      'complete',
      'stream web.ovf',
      'stream web.mf',
    ])
    expect(kept).toEqual([])
  })

  it('writes no list of files that were not kept, and ends the export when the server counted otherwise', async () => {
    const { run, log } = recorder()
    await backup('vm-1', lease(log, 'sha1 of web-d0'), recordingSink(log, false), run)
    expect(log).not.toContain('stream web.mf')
    await expect(backup('vm-1', lease(log, 'other'), recordingSink(log), run)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(log.at(-1)).toBe('abort')
  })
})

describe('flow 3: three disks at once, each full or changed, or a base that is lost', () => {
  const disks: readonly Disk[] = ['d0', 'd1', 'd2'].map((key) => ({ key, name: key, size: 10 }))
  async function backup(
    { workload, base }: BackupRequest,
    lost: string | undefined,
    sink: BackupSink,
    run: RunContext,
  ): Promise<BackupResult> {
    const from = base?.checkpoint
    const open = await run.intend('finalize-backup', { workload, id: 'b1' })
    const known = new Set(base?.disks.map((disk) => disk.key))
    await Promise.all(
      disks.map((disk) => {
        const changes = from !== undefined && known.has(disk.key)
        const reason = from !== undefined && !changes ? { reason: 'no checkpoint of this disk' } : {}
        return sink.blocks({
          disk,
          ...reason,
          covers: changes ? 'changes' : 'all',
          open: async () => {
            if (changes && disk.key === lost) throw new HoldfastError('BASE_LOST', `the bitmap of ${disk.key} is missing`)
            return blocksOf(disk.size)
          },
        })
      }),
    )
    await open.undo()
    return { description: { v: 1 }, machine, consistency: 'crash', skipped: [], checkpoint: 'c2' }
  }
  const base = {
    checkpoint: 'c1',
    disks: [
      { key: 'd0', size: 10 },
      { key: 'd1', size: 10 },
    ],
  }

  it('closes the transfers before the backup is finalized', async () => {
    const { run, log } = recorder()
    const result = await backup({ workload: 'vm', base, options: {} }, undefined, recordingSink(log), run)
    expect(log.slice(1, -1).sort()).toEqual(['blocks d0 changes', 'blocks d1 changes', 'blocks d2 all: no checkpoint of this disk'])
    expect([log[0], log.at(-1), result.checkpoint]).toEqual(['intend finalize-backup', 'undo finalize-backup', 'c2'])
  })

  it('rejects with BASE_LOST and is then asked once more, without a base', async () => {
    const { run, log } = recorder()
    await expect(backup({ workload: 'vm', base, options: {} }, 'd1', recordingSink(log), run)).rejects.toMatchObject({
      code: 'BASE_LOST',
      retryable: true,
    })
    expect(log).not.toContain('undo finalize-backup')
    await expect(backup({ workload: 'vm', options: {} }, 'd1', recordingSink(log), run)).resolves.toMatchObject({ checkpoint: 'c2' })
  })
})

describe('flow 4: a chain restored as one disk, a replica brought forward by its changes', () => {
  interface Copy {
    point: string | undefined
    readonly disks: { readonly [key: string]: string }
  }
  async function restore(
    request: RestoreRequest,
    copy: Copy | undefined,
    source: RestoreSource,
    run: RunContext,
    log: string[],
  ): Promise<RestoreResult> {
    if (source.machine === undefined) throw new HoldfastError('UNSUPPORTED', 'not a machine')
    const held = copy?.point
    if (copy !== undefined) copy.point = undefined
    for (const disk of source.disks) {
      const target = copy?.disks[disk.key]
      const changes = target !== undefined && held !== undefined ? await disk.openChanges(held, run) : undefined
      const made = changes === undefined ? await run.intend('remove-disk', { key: disk.key }) : undefined
      const blocks = changes ?? (await disk.open(run))
      try {
        const buffer = new Uint8Array(16)
        for await (const { offset, length, kind } of blocks.extents(run)) {
          if (kind === 'data') await blocks.readInto(buffer.subarray(0, length), offset, run)
          log.push(`${changes === undefined ? 'whole' : 'changes'} ${disk.key} ${offset}+${length}`)
        }
      } finally {
        await blocks[Symbol.asyncDispose]()
      }
      made?.keep()
    }
    if (request.target !== undefined && copy !== undefined) {
      copy.point = source.point
      return { workload: request.target }
    }
    const made = await run.intend('remove-vm', { name: request.name })
    made.keep()
    return { workload: `id of ${request.name}` }
  }
  const source: RestoreSource = {
    point: 'p2',
    workload: { id: 'vm', name: 'web', kind: 'machine' },
    machine,
    kind: 'other',
    description: null,
    disks: [
      {
        key: 'd0',
        name: 'd0',
        size: 10,
        open: async () => blocksOf(10),
        openChanges: async (since) => (since === 'p1' ? blocksOf(3) : undefined),
      },
    ],
    files: [],
  }

  it('makes a machine under intents that stay', async () => {
    const { run, log, kept } = recorder()
    const result = await restore({ purpose: 'recover', name: 'web-2', start: false, options: {} }, undefined, source, run, log)
    expect([result.workload, log, kept]).toEqual([
      'id of web-2',
      ['intend remove-disk', 'whole d0 0+10', 'intend remove-vm'],
      ['remove-disk', 'remove-vm'],
    ])
  })

  it('never puts an intent to remove on a replica that is there, and sends everything when the changes cannot be told', async () => {
    const request: RestoreRequest = { purpose: 'replica', name: 'web', target: 'vm-r', start: false, options: {} }
    const { run, log } = recorder()
    const copy: Copy = { point: 'p1', disks: { d0: 'disk-7' } }
    await restore(request, copy, source, run, log)
    expect([log, copy.point]).toEqual([['changes d0 0+3'], 'p2'])
    await restore(request, { ...copy, point: 'p0' }, source, run, log)
    expect(log).toContain('whole d0 0+10')
  })
})

describe('flow 5: a project that is stopped while it is read', () => {
  async function backup(volumes: readonly string[], sink: BackupSink, run: RunContext, log: string[]): Promise<BackupResult> {
    const restart = await run.intend('start-containers', ['shop-1', 'shop-2'])
    log.push('stop')
    await Promise.all(volumes.map((volume) => sink.stream({ format: 'tar', name: `${volume}.tar`, open: async () => bytesOf('tar') })))
    await restart.undo()
    return { description: { v: 1, volumes: [...volumes] }, consistency: 'off', skipped: [] }
  }

  it('is started again at once, not after the commit', async () => {
    const { run, log } = recorder()
    expectTypeOf(backup).returns.resolves.toEqualTypeOf<BackupResult>()
    await backup(['data'], recordingSink(log), run, log)
    expect(log).toEqual(['intend start-containers', 'stop', 'stream data.tar', 'undo start-containers'])
  })
})

describe('flow 6: fail over by contract calls only', () => {
  type Power = Pick<NonNullable<Provider['power']>, 'fence' | 'start'>
  async function failOver(
    source: { power?: Power; fences: readonly Fence[]; observers: readonly Observer[] },
    target: Power,
    run: RunContext,
  ): Promise<string> {
    const reference = { provider: 'esx', id: 'vm-1' }
    const unknown = (error: unknown): Observation => ({ from: 'management', verdict: 'unknown', evidence: String(error) })
    const seen = await Promise.all(source.observers.map((observe) => observe(reference, run).catch(unknown)))
    if (seen.some(({ verdict }) => verdict === 'up')) return 'still up'
    const { power } = source
    const ladder: (() => Promise<FenceResult>)[] = [
      ...(power === undefined ? [] : [() => power.fence(reference.id, run)]),
      ...source.fences.map((fence) => () => fence(reference, run)),
    ]
    for (const step of ladder) {
      const { confirmed } = await step().catch(() => ({ confirmed: false }))
      if (!confirmed) continue
      await target.start('vm-1_replica', { signal: run.signal, network: 'connected' })
      return 'running'
    }
    return 'blocked'
  }

  it('starts nothing until one fence is confirmed', async () => {
    const { run } = recorder()
    const started: string[] = []
    const dead: Power = {
      fence: () => Promise.reject(new HoldfastError('UNREACHABLE', 'the host is dead')),
      start: async (id) => void started.push(id),
    }
    const fence =
      (confirmed: boolean): Fence =>
      async () => ({ confirmed, evidence: 'the power strip' })
    const throwing: Observer = () => Promise.reject(new HoldfastError('UNREACHABLE', 'no route'))
    expect(await failOver({ power: dead, fences: [fence(false)], observers: [throwing] }, dead, run)).toBe('blocked')
    expect(started).toEqual([])
    expect(await failOver({ power: dead, fences: [fence(false), fence(true)], observers: [throwing] }, dead, run)).toBe('running')
    expect(started).toEqual(['vm-1_replica'])
    expect(
      await failOver({ fences: [fence(true)], observers: [async () => ({ from: 'guest', verdict: 'up', evidence: 'ping' })] }, dead, run),
    ).toBe('still up')
  })
})
