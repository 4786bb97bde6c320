import assert from 'node:assert/strict'
import { type ByteStream, codeOf, type Repository } from '@holdfast/core/spec'

/** One fresh, empty repository. */
export interface RepositoryUnderTest extends AsyncDisposable {
  readonly repository: Repository
  /** The same storage seen by a new instance, as after a restart of the process. The old one is not used any more. */
  reopen?(): Promise<Repository>
}

/** What this kind of repository offers beyond the least. The suite checks that it is so. */
export interface RepositoryAbilities {
  readonly alias: boolean
  readonly createIfAbsent: Repository['createIfAbsent']
}

export interface ContractFixture extends RepositoryUnderTest {
  readonly abilities: RepositoryAbilities
  readonly signal: AbortSignal
  /** Every visible file below a prefix, after the storage had time to catch up. */
  listed(prefix: string): Promise<readonly string[]>
}

/** Names state behaviour; each gets a repository of its own. */
export interface ContractTests {
  readonly [name: string]: (fixture: ContractFixture) => Promise<void>
}

/** Bytes that depend on every index, so that moved or repeated parts show. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[index] = state >>> 24
  }
  return bytes
}

export const text = (content: string): Uint8Array => new TextEncoder().encode(content)

/** The bytes in chunks of the given lengths, again and again. Each chunk is lent: it is overwritten when the next one is asked for. */
export async function* lent(bytes: Uint8Array, lengths: readonly number[] = [65536]): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(Math.max(...lengths))
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = Math.min(lengths[turn % lengths.length] as number, bytes.length - at)
    buffer.set(bytes.subarray(at, at + length))
    yield buffer.subarray(0, length)
    buffer.fill(0xee)
    at += length
  }
}

/** Copies what a stream gives. */
export async function collect(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(new Uint8Array(chunk))
  return new Uint8Array(Buffer.concat(chunks))
}

export async function readFile(repository: Repository, path: string, signal: AbortSignal): Promise<Uint8Array> {
  const file = await repository.open(path, { signal })
  try {
    const bytes = new Uint8Array(file.size)
    await file.readInto(bytes, 0, { signal })
    return bytes
  } finally {
    await file[Symbol.asyncDispose]()
  }
}

export async function putText(fixture: ContractFixture, path: string, content: string): Promise<void> {
  await fixture.repository.put(path, lent(text(content)), { signal: fixture.signal })
}

export async function assertHolds(fixture: ContractFixture, path: string, content: string): Promise<void> {
  const bytes = await readFile(fixture.repository, path, fixture.signal)
  assert.equal(new TextDecoder().decode(bytes), content, `content of ${path}`)
}

/** Neither an exact read nor the list finds it. */
export async function assertAbsent(fixture: ContractFixture, path: string): Promise<void> {
  await assertRejects(fixture.repository.open(path, { signal: fixture.signal }), 'NOT_FOUND')
  const names = await fixture.listed('')
  assert.ok(!names.includes(path), `list shows ${path}, which is not there`)
}

export async function assertRejects(call: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
  let outcome: unknown
  try {
    outcome = { resolvedWith: await call }
  } catch (error) {
    const code = codeOf(error)
    if (code !== undefined && codes.includes(code)) return
    outcome = error
  }
  assert.fail(`expected a rejection with ${codes.join(' or ')}, got ${outcome instanceof Error ? outcome.stack : JSON.stringify(outcome)}`)
}

export function assertBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  const same = Buffer.from(actual.buffer, actual.byteOffset, actual.length).equals(expected)
  if (!same) assert.fail(`${what}: ${firstDifference(actual, expected)}`)
}

function firstDifference(actual: Uint8Array, expected: Uint8Array): string {
  const at = expected.findIndex((byte, index) => byte !== actual[index])
  return `${actual.length} bytes for ${expected.length}, first difference at ${at < 0 ? expected.length : at}`
}
