import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { HoldfastError, type Intent, type Provider } from '@holdfast/core/spec'
import { collectingSink, memoryRunContext, sourceFrom } from '@holdfast/testkit'

const run = promisify(execFile)

/** The engine of the project, through its command-line client: a second program that shares no code with the provider. */
export function realEngine({ socket, image }: { readonly socket: string; readonly image: string }) {
  const system = `test-${randomBytes(6).toString('hex')}`
  const docker = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await run('docker', ['-H', `unix://${socket}`, ...words], { maxBuffer: 64 << 20 })
    return stdout
  }
  const made = new Set<string>()
  return {
    system,
    docker,
    /** A name of this test file; the volume is removed at the end. */
    name(text: string): string {
      const name = `${system}-${text}`
      made.add(name)
      return name
    },
    /** Runs a script in a container with the volume at /v. `nocopy`: the engine must not dress an empty volume like the folder of the image. */
    async inside(volume: string, script: string): Promise<string> {
      return docker(
        'run',
        '--rm',
        '--network',
        'none',
        '--log-driver',
        'none',
        '-v',
        `${volume}:/v`,
        '-w',
        '/v',
        image,
        'sh',
        '-ec',
        script,
      )
    },
    async background(volume: string, script: string, name: string): Promise<string> {
      return (
        await docker('run', '-d', '--network', 'none', '--name', `${system}-${name}`, '-v', `${volume}:/v`, image, 'sh', '-c', script)
      ).trim()
    },
    /** Everything on the engine that carries the mark of this test's system. */
    async marked(): Promise<{ containers: string[]; images: string[]; volumes: string[] }> {
      const lines = async (...words: readonly string[]) =>
        (await docker(...words, '--filter', `label=holdfast.system=${system}`)).split('\n').filter(Boolean)
      const [containers = [], images = [], volumes = []] = await Promise.all([
        lines('ps', '-a', '--format', '{{.Names}}'),
        lines('images', '-a', '--format', '{{.Repository}}:{{.Tag}}'),
        lines('volume', 'ls', '-q'),
      ])
      return { containers, images, volumes }
    },
    async removeAll(): Promise<void> {
      const containers = (await docker('ps', '-aq', '--filter', `name=${system}`)).split('\n').filter(Boolean)
      if (containers.length > 0) await docker('rm', '-f', ...containers)
      const { containers: helpers, images, volumes } = await this.marked()
      if (helpers.length > 0) await docker('rm', '-f', ...helpers)
      if (images.length > 0) await docker('rmi', '-f', ...images)
      const names = (await docker('volume', 'ls', '-q', '--filter', `name=${system}`)).split('\n').filter(Boolean)
      const all = [...new Set([...volumes, ...names])]
      if (all.length > 0) await docker('volume', 'rm', '-f', ...all)
    },
  }
}
export type RealEngine = ReturnType<typeof realEngine>

export const nothing = { containers: [], images: [], volumes: [] }

/** What a person can see of every entry of a volume, told by busybox: name, type, mode, owner, time, size, device, link, hard links, content. */
export async function listing(engine: RealEngine, volume: string): Promise<readonly string[]> {
  const script = `find . -exec sh -c 'for f; do printf %s "$f" | od -An -v -tx1 | tr -d " \\n"; printf "|"; if [ -L "$f" ]; then stat -c "%F|%a|%u|%g|%Y||%t:%T|%i" "$f"; printf "  "; readlink "$f" | od -An -v -tx1 | tr -d " \\n"; elif [ -f "$f" ]; then stat -c "%F|%a|%u|%g|%Y|%s|%t:%T|%i" "$f"; printf "  "; sha256sum < "$f"; else stat -c "%F|%a|%u|%g|%Y||%t:%T|%i" "$f"; printf "  "; fi; echo; done' sh {} +`
  const text = await engine.inside(volume, script)
  const records = text
    .split(/\n(?=2e)/)
    .map((record) => record.replace(/\n\s*/g, ' ').trim())
    .filter(Boolean)
  const parsed = records.map((record) => {
    const [head = '', ...rest] = record.split(' ')
    const whole = [head, ...rest].join(' ')
    const match = /^([0-9a-f]+)\|(.*)\|(\d+)(?: (.*))?$/.exec(whole)
    if (!match) throw new Error(`cannot read ${JSON.stringify(record)}`)
    return { name: match[1] ?? '', facts: match[2] ?? '', inode: match[3] ?? '', content: match[4] ?? '' }
  })
  const groups = new Map<string, string[]>()
  for (const { inode, name } of parsed) groups.set(inode, [...(groups.get(inode) ?? []), name].sort())
  return parsed.map(({ name, facts, inode, content }) => `${name}|${facts}|${content}|${groups.get(inode)?.join('+')}`).sort()
}

export interface AttemptOptions {
  readonly provider: Provider
  readonly system: string
  readonly run: string
  readonly attempt?: number
  readonly refuseIntent?: number
}
export function attempt({ provider, system, run: key, attempt: number = 1, refuseIntent }: AttemptOptions) {
  const mark = { system, plan: 'nightly', run: key, attempt: number }
  return memoryRunContext({ provider, providerName: 'docker', mark, ...(refuseIntent !== undefined && { refuseIntent }) })
}

/** A whole backup as the engine makes one; answers what a restore reads from. */
export async function backup(provider: Provider, system: string, volume: string, run: string) {
  const context = attempt({ provider, system, run })
  const collected = collectingSink()
  const result = await provider.backup({ workload: volume, options: {} }, collected.sink, context.run)
  await context.undoOpen({ committed: true })
  const source = sourceFrom(collected.items, { workload: { id: volume, name: volume, kind: 'volume' }, kind: 'docker', result })
  return { result, source, notes: context.notes, items: collected.items }
}

export async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (HoldfastError.isInstance(error)) return error
  throw new Error(`expected a HoldfastError, got ${error instanceof Error ? error.stack : String(error)}`)
}

export async function leftoversOf(provider: Provider, system: string): Promise<readonly Intent[]> {
  const found: Intent[] = []
  for await (const intent of provider.leftovers?.({ signal: new AbortController().signal }) ?? [])
    if (intent.mark.system === system) found.push(intent)
  return found
}
