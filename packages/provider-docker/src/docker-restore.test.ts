import { HoldfastError, type StoredFile } from '@holdfast/core/spec'
import { tarOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { type FakeEngineOptions, json } from '../test/support/fake-engine.ts'
import { newVolume, rejection, request, sourceOf, tar, withEngine } from '../test/support/with-engine.ts'

describe('a restore', () => {
  const empty = Buffer.concat([Buffer.from(tarOf(new Map([['data/', new Uint8Array()]])))])
  const filled = (put: NonNullable<FakeEngineOptions['routes']>[string]): FakeEngineOptions => {
    const options = newVolume(put)
    return { routes: { ...options.routes, 'GET /containers/c1/archive': (_, response) => response.end(empty) } }
  }
  const swallow: NonNullable<FakeEngineOptions['routes']>[string] = (incoming, response) => {
    incoming.resume().on('end', () => response.end())
  }

  it('sends the archive as it is', async () => {
    const chunks: Buffer[] = []
    const { provider, context } = await withEngine(
      filled((incoming, response) => void incoming.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => response.end())),
    )
    expect(await provider.restore(request, sourceOf(tar), context.run)).toEqual({ workload: 'shop-copy' })
    expect(Buffer.concat(chunks).equals(Buffer.from(tar))).toBe(true)
  })

  it('an engine that fails in the middle of the upload fails the restore with its own words', async () => {
    const { provider, context } = await withEngine(
      filled((incoming, response) => {
        incoming.once('data', () => json(response, 500, { message: 'invalid symlink "x"' }))
      }),
    )
    const large = tarOf(new Map([['data/large', new Uint8Array(32 << 20)]]))
    expect(await rejection(provider.restore(request, sourceOf(large), context.run))).toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('invalid symlink'),
    })
    expect(context.intents.map((intent) => intent.kind)).toEqual(['remove-helper', 'remove-volume'])
  })

  it('a connection cut in the middle of the upload fails the restore', async () => {
    const { provider, context } = await withEngine(filled((incoming) => void incoming.once('data', () => incoming.destroy())))
    const large = tarOf(new Map([['data/large', new Uint8Array(8 << 20)]]))
    expect(await rejection(provider.restore(request, sourceOf(large), context.run))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
    })
  })

  it('a stored hash that does not match stops the upload before its end', async () => {
    let ended = false
    const { provider, context } = await withEngine(
      filled(
        (incoming, response) =>
          void incoming
            .on('error', () => {})
            .on('end', () => {
              ended = true
              response.end()
            })
            .resume(),
      ),
    )
    const file = sourceOf(tar).files[0] as StoredFile
    const broken: StoredFile = {
      ...file,
      open: async () => ({
        async *[Symbol.asyncIterator]() {
          yield tar
          throw new HoldfastError('CHECKSUM_MISMATCH', 'shop-db.tar.zst')
        },
      }),
    }
    expect(await rejection(provider.restore(request, sourceOf(tar, { files: [broken] }), context.run))).toMatchObject({
      code: 'CHECKSUM_MISMATCH',
    })
    expect(ended).toBe(false)
    expect(context.intents.every((intent) => !intent.kept)).toBe(true)
  })

  it('a hostile name is PATH_OUTSIDE and never arrives', async () => {
    const seen: Buffer[] = []
    const { provider, context } = await withEngine(
      filled((incoming) => void incoming.on('data', (chunk: Buffer) => seen.push(chunk)).on('error', () => {})),
    )
    const hostile = tarOf(
      new Map([
        ['data/a', new Uint8Array(9)],
        ['data/../evil', new Uint8Array(9)],
      ]),
    )
    expect(await rejection(provider.restore(request, sourceOf(hostile), context.run))).toMatchObject({
      code: 'PATH_OUTSIDE',
      message: expect.stringContaining('data/../evil'),
    })
    expect(Buffer.concat(seen).includes('evil')).toBe(false)
  })

  it('chunks that are used again by their source arrive unharmed', async () => {
    const chunks: Buffer[] = []
    const { provider, context } = await withEngine(
      filled((incoming, response) => void incoming.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => response.end())),
    )
    const large = tarOf(new Map([['data/large', new Uint8Array(3 << 20).map((_, index) => index * 7)]]))
    const file = sourceOf(large).files[0] as StoredFile
    const lent: StoredFile = {
      ...file,
      open: async () => ({
        async *[Symbol.asyncIterator]() {
          const buffer = new Uint8Array(100_000)
          for (let at = 0; at < large.length; at += buffer.length) {
            const part = large.subarray(at, at + buffer.length)
            buffer.set(part)
            yield buffer.subarray(0, part.length)
            buffer.fill(255)
          }
        },
      }),
    }
    await provider.restore(request, sourceOf(large, { files: [lent] }), context.run)
    expect(Buffer.concat(chunks).equals(Buffer.from(large))).toBe(true)
  })

  it('a point without an archive, a replica, and a description of the future are refused before anything is made', async () => {
    const { provider, context } = await withEngine(filled(swallow))
    expect(await rejection(provider.restore(request, sourceOf(tar, { files: [], kind: 'esxi' }), context.run))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('esxi'),
    })
    expect(await rejection(provider.restore({ ...request, purpose: 'replica' }, sourceOf(tar), context.run))).toMatchObject({
      code: 'UNSUPPORTED',
    })
    expect(await rejection(provider.restore(request, sourceOf(tar, { description: { v: 2 } }), context.run))).toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
    })
    expect(context.intended).toEqual([])
  })

  it('a point of another kind with an archive becomes a plain volume', async () => {
    const { provider, context } = await withEngine(filled(swallow))
    expect(await provider.restore(request, sourceOf(tar, { kind: 'files', description: null }), context.run)).toEqual({
      workload: 'shop-copy',
    })
  })
})
