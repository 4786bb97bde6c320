import { countingIds, fakeClock, type PowerLossFileSystem, powerLossFileSystem, type Random, seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesOf, codeOf, collectBytes, type FileSystem, type Repository } from '../spec/index.ts'
import { localRepository } from './local-repository.ts'

const { signal } = new AbortController()
const replays = process.env.HOLDFAST_LONG === '1' ? 20_000 : 1000

/** What is known of a path: each change with the moments between which it took place. */
interface Change {
  readonly path: string
  readonly content: string | undefined
  readonly began: number
  readonly acknowledged: number
}

const contentsOf = (path: string, version: number): string => `${path} in version ${version}, `.repeat(version % 3 === 0 ? 0 : 40)

async function* inParts(content: string): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < content.length; at += 300) yield new TextEncoder().encode(content.slice(at, at + 300))
}

function repositoryOn(fileSystem: FileSystem, ids: string): Repository {
  return localRepository({ folder: '/srv/backup', fileSystem, clock: fakeClock(), ids: countingIds(ids) })
}

/** Every call waits for its turn, so that what several workers do at once is mixed by the seed. */
function interleaved(inner: FileSystem, random: Random): FileSystem {
  const pause = async (): Promise<void> => {
    for (let turns = random.below(4); turns > 0; turns--) await undefined
  }
  const paused = Object.entries(inner).map(([name, call]) => [
    name,
    async (...given: unknown[]) => {
      await pause()
      return (call as (...given: unknown[]) => unknown)(...given)
    },
  ])
  return Object.fromEntries(paused) as FileSystem
}

/** Three workers, each with paths of its own in shared folders. */
async function play(disk: PowerLossFileSystem, random: Random): Promise<readonly Change[]> {
  const fileSystem = interleaved(disk.fileSystem, random)
  await repositoryOn(fileSystem, 'first').put('repository.json', bytesOf('{}'), { signal, ifAbsent: true })
  const changes: Change[] = [{ path: 'repository.json', content: '{}', began: 0, acknowledged: disk.operations }]
  async function worker(name: number): Promise<void> {
    const repository = repositoryOn(fileSystem, `worker${name}`)
    for (let step = 0; step < 12; step++) {
      const path = `a/p${random.below(2)}/${random.below(2)}/file-${name}-${random.below(2)}`
      const content = random.chance(0.25) ? undefined : contentsOf(path, random.below(9))
      const began = disk.operations
      if (content === undefined) await repository.delete(path, { signal })
      else await repository.put(path, inParts(content), { signal, ifAbsent: random.chance(0.5) }).catch(unlessExists)
      // What an EXISTS says of the content is in the changes before it.
      const stays = content === undefined ? undefined : await contentOf(repository, path)
      changes.push({ path, content: stays, began, acknowledged: disk.operations })
    }
  }
  await Promise.all([1, 2, 3].map(worker))
  return changes
}

/** The folder above the repository was there long before. */
async function makeFolderAbove({ fileSystem }: PowerLossFileSystem): Promise<void> {
  await fileSystem.mkdir('/srv')
  await (await fileSystem.open('/', 'folder')).sync()
}

function unlessExists(error: unknown): void {
  if (codeOf(error) !== 'EXISTS') throw error
}

async function contentOf(repository: Repository, path: string): Promise<string | undefined> {
  try {
    const file = await repository.open(path, { signal })
    return new TextDecoder().decode(await collectBytes(file.stream({ start: 0, end: file.size }, { signal }), 1 << 20))
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND' || codeOf(error) === 'REPOSITORY_MISSING') return undefined
    throw error
  }
}

/** After a power loss at `at`: what was acknowledged is there; what was under way is there whole, or as it was before. */
function allowed(changes: readonly Change[], path: string, at: number): readonly (string | undefined)[] {
  const mine = changes.filter((change) => change.path === path)
  const last = mine.findLast(({ acknowledged }) => acknowledged <= at)
  const underWay = mine.filter(({ began, acknowledged }) => began <= at && acknowledged > at)
  return [last?.content, ...underWay.map(({ content }) => content)]
}

async function visible(repository: Repository): Promise<ReadonlyMap<string, string | undefined>> {
  const files = new Map<string, string | undefined>()
  for await (const { path } of repository.list('', { signal })) files.set(path, await contentOf(repository, path))
  return files
}

/** `syncs`: false takes the syncs away, to see that the test can fail. */
async function replay(seed: number, count: number, syncs: boolean): Promise<void> {
  const random = seededRandom(seed)
  const disk = powerLossFileSystem()
  await makeFolderAbove(disk)
  const { open } = disk.fileSystem
  const lazy: FileSystem = { ...disk.fileSystem, open: async (path, how) => ({ ...(await open(path, how)), sync: async () => undefined }) }
  const played = syncs
    ? disk
    : {
        ...disk,
        fileSystem: lazy,
        get operations() {
          return disk.operations
        },
      }
  const changes = await play(played, random)
  const paths = new Set(changes.map(({ path }) => path))
  for (let turn = 0; turn < count; turn++) {
    const at = random.below(disk.operations + 1)
    const left = disk.afterPowerLoss(random, at)
    const repository = repositoryOn(left.fileSystem, 'after')
    for (const path of paths) {
      expect(allowed(changes, path, at), `seed ${seed}, power loss ${turn} at ${at}: ${path}`).toContain(await contentOf(repository, path))
    }
  }
}

describe('local repository, faults F4: power loss', () => {
  it(`keeps what was acknowledged and shows no half file in ${replays} replays`, async () => {
    for (let seed = 1; seed <= replays / 50; seed++) await replay(seed, 50, true)
  })

  it('would be caught without its syncs', async () => {
    await expect(replay(1, 50, false)).rejects.toThrow(/power loss/)
  })

  it('makes what another process left visible durable by sync', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed)
      const disk = powerLossFileSystem()
      await makeFolderAbove(disk)
      await play(disk, random)
      // The other process died somewhere; nobody lost power, so its names are visible, durable or not.
      const killed = { ...repositoryOn(disk.fileSystem, 'killed') }
      const dying: FileSystem = {
        ...disk.fileSystem,
        async link(from, to) {
          await disk.fileSystem.link(from, to)
          await new Promise(() => undefined)
        },
      }
      void repositoryOn(dying, 'dying').put('b/p/manifest.1.json', bytesOf('committed'), { signal, ifAbsent: true })
      while ((await contentOf(killed, 'b/p/manifest.1.json')) === undefined) await undefined
      await killed.sync('b/p/', { signal })
      const before = await visible(killed)
      const after = repositoryOn(disk.afterPowerLoss(random).fileSystem, 'after')
      expect(await contentOf(after, 'b/p/manifest.1.json'), `seed ${seed}`).toBe('committed')
      expect([...(await visible(after))].toSorted(), `seed ${seed}`).toEqual([...before].toSorted())
    }
  })
})
