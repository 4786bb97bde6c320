import type { Clock } from '@holdfast/core/spec'
import type { TypedValues, XmlValue } from './soap-answer.ts'

/** Something that lives on the host. Its properties are made when they are asked for. */
export interface SimulatedObject {
  readonly type: string
  readonly value: string
  /** By the path that is asked for. A path that is not there is not given. */
  properties(values: TypedValues): { readonly [path: string]: XmlValue | undefined }
}

/** What there is on a host, and whoever waits for a change of it. */
export interface SimulatedWorld {
  readonly clock: Clock
  objects(): readonly SimulatedObject[]
  find(type: string, value: string): SimulatedObject | undefined
  add(object: SimulatedObject): void
  remove(object: SimulatedObject): void
  /** To be called after any change. */
  changed(): void
  /** Calls back after each change until the function it gives is called. */
  watch(look: () => void): () => void
  /** A value for a new object, which is never used again. */
  next(prefix: string): string
  /** A value for a new machine. */
  nextMachine(): string
}

/** @param usesAgain A machine gets the lowest value that no other has now. */
export function createWorld(clock: Clock, usesAgain = false): SimulatedWorld {
  const objects: SimulatedObject[] = []
  const watchers = new Set<() => void>()
  const changed = () => {
    for (const look of [...watchers]) look()
  }
  let count = 0
  const next = (prefix: string) => {
    count += 1
    return `${prefix}-${count}`
  }
  const isTaken = (value: string) => objects.some((object) => object.type === 'VirtualMachine' && object.value === value)
  return {
    clock,
    objects: () => objects,
    find: (type, value) => objects.find((object) => object.type === type && object.value === value),
    add(object) {
      objects.push(object)
      changed()
    },
    remove(object) {
      objects.splice(objects.indexOf(object), 1)
      changed()
    },
    changed,
    watch(look) {
      watchers.add(look)
      return () => watchers.delete(look)
    },
    next,
    nextMachine() {
      if (!usesAgain) return next('vm')
      let value = 1
      while (isTaken(`vm-${value}`)) value += 1
      return `vm-${value}`
    },
  }
}
