import type { SimulatedObject, SimulatedWorld } from './simulated-world.ts'
import {
  element,
  field,
  localized,
  type PrefixStyle,
  reference,
  type SimulatedFault,
  type TypedValues,
  type XmlValue,
} from './soap-answer.ts'

/** What a task does, and how it ended. */
export interface TaskWork {
  /** Makes the change. What it gives is the result of the task; a fault makes the task fail. */
  run(): ResultOfTask | SimulatedFault | undefined
  /** Steps of progress before it runs. */
  readonly steps?: number
  /** `VirtualMachine.createSnapshot`. */
  readonly description?: string
  /** Default true. */
  readonly cancelable?: boolean
  /** It does not go on as long as this says so. */
  holds?(): boolean
}

/** A reference that a task results in. */
export interface ResultOfTask {
  readonly type: string
  readonly value: string
}

const isFault = (result: ResultOfTask | SimulatedFault | undefined): result is SimulatedFault => result !== undefined && 'fault' in result

/** Starts a task, which goes on by itself, a step with each turn of the event loop. */
export function startTask(world: SimulatedWorld, style: PrefixStyle, entity: SimulatedObject, work: TaskWork): SimulatedObject {
  const value = world.next('task')
  let state: 'running' | 'success' | 'error' = 'running'
  let [progress, outcome, cancelled]: [number, ResultOfTask | SimulatedFault | undefined, boolean] = [0, undefined, false]
  const info = (values: TypedValues): XmlValue => {
    const end =
      state === 'error' && isFault(outcome)
        ? localized(style, 'error', outcome)
        : state === 'success' && outcome !== undefined && !isFault(outcome)
          ? element('result', values.reference(outcome.type, outcome.value))
          : ''
    const described = work.description === undefined ? '' : field('descriptionId', work.description)
    return values.data(
      'TaskInfo',
      `${field('key', value)}${reference('task', 'Task', value)}${described}${reference('entity', entity.type, entity.value)}${field('state', state)}${field('cancelled', cancelled)}${field('cancelable', work.cancelable !== false)}${end}${state === 'running' ? field('progress', progress) : ''}`,
    )
  }
  const task: SimulatedObject & { readonly entity: string; cancel(): void } = {
    type: 'Task',
    value,
    entity: entity.value,
    properties: (values) => ({ info: info(values) }),
    cancel() {
      if (work.cancelable === false) return
      cancelled = true
      world.changed()
    },
  }
  world.add(task)
  const step = (left: number) => {
    if (!cancelled && work.holds?.() === true) {
      const unwatch = world.watch(() => {
        unwatch()
        setImmediate(step, left)
      })
      return
    }
    if (cancelled || left === 0) {
      outcome = cancelled ? { fault: 'RequestCanceled', message: 'The task was canceled by a user.' } : work.run()
      state = isFault(outcome) ? 'error' : 'success'
    } else {
      progress = Math.min(99, progress + 10)
      setImmediate(step, left - 1)
    }
    world.changed()
  }
  setImmediate(step, work.steps ?? 1)
  return task
}
