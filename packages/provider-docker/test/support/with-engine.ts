import { HoldfastError, type RestoreSource } from '@holdfast/core/spec'
import { memoryRunContext, sourceFrom, tarOf } from '@holdfast/testkit'
import { afterEach } from 'vitest'
import { docker } from '../../src/index.ts'
import { type FakeEngineOptions, fakeEngine, json } from './fake-engine.ts'

export const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
export const { signal } = new AbortController()
export const tar = tarOf(new Map([['data/file', new TextEncoder().encode('hello')]]))
// The folder of the volume comes first in an archive of the engine.
export const archive = Buffer.from(tarOf(new Map([['data/a', new Uint8Array(100_000)]])))

export async function withEngine(options: FakeEngineOptions = {}, more: object = {}) {
  const engine = await fakeEngine(options)
  closers.push(() => engine.close())
  const provider = docker({ socketPath: engine.socketPath, ...more })
  return { engine, provider, context: memoryRunContext({ provider }) }
}
export async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (HoldfastError.isInstance(error)) return error
  throw new Error(`expected a HoldfastError, got ${String(error)}`)
}
export function sourceOf(bytes: Uint8Array, more: Partial<RestoreSource> = {}): RestoreSource {
  const item = { type: 'stream', name: 'shop-db.tar', format: 'tar', bytes } as const
  const description = { v: 1, volume: { name: 'shop-db', driver: 'local', options: {}, labels: {} } }
  const result = { description, consistency: 'off', skipped: [] } as const
  return { ...sourceFrom([item], { workload: { id: 'shop-db', name: 'shop-db', kind: 'volume' }, kind: 'docker', result }), ...more }
}
export const request = { purpose: 'recover', name: 'shop-copy', start: false, options: {} } as const

/** As if the volume had been made by the run that asks: not there at first, marked afterwards. */
export function newVolume(put: NonNullable<FakeEngineOptions['routes']>[string]): FakeEngineOptions {
  let made: object | undefined
  return {
    routes: {
      'GET /volumes/': (_, response) => json(response, made ? 200 : 404, made ?? { message: 'no such volume' }),
      'POST /volumes/create': (_, response, body) => {
        const asked = JSON.parse(body.toString())
        made = { Name: asked.Name, Driver: asked.Driver, Labels: asked.Labels, Options: asked.DriverOpts }
        json(response, 201, made)
      },
      'GET /containers/c1/archive': (_, response) => response.end(tarOf(new Map()).length ? Buffer.alloc(1024) : ''),
      'PUT /containers/c1/archive': put,
    },
  }
}
